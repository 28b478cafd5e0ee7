/** `npm run test:real -- --project P --bucket B` -> the contract suites against a user's own Google Cloud project. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const USAGE =
  'npm run test:real -- --project P --bucket B [--location US] [--key-file key.json]\n' +
  'Writes below assay-contract-<time>/ of the bucket and into datasets assay_contract_<time>_*, and removes both.\n' +
  'What it costs: a few hundred requests, a few dozen queries of 10 MB each.\n';

const { values } = parseArgs({
  options: {
    project: { type: 'string' },
    bucket: { type: 'string' },
    location: { type: 'string', default: 'US' },
    'key-file': { type: 'string', default: '' },
  },
});
if (values.project === undefined || values.bucket === undefined) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const child = spawn(process.execPath, [fileURLToPath(new URL('../run.js', import.meta.url)), 'real/'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    ASSAY_REAL_PROJECT: values.project,
    ASSAY_REAL_BUCKET: values.bucket,
    ASSAY_REAL_LOCATION: values.location,
    ASSAY_REAL_KEY_FILE: values['key-file'],
  },
});
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
