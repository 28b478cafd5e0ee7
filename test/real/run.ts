/** `npm run test:real -- --project P --bucket B` -> the contract suites against a user's own Google Cloud project, swept afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { realAccount, stampOf } from './account.ts';
import { sweep } from './sweep.ts';

const USAGE =
  'npm run test:real -- --project P --bucket B [--location US] [--key-file key.json]\n' +
  'Writes below assay-contract-<time>/ of the bucket and into datasets assay_contract_<time>_*, and removes both.\n' +
  'See docs/how-to/test-against-the-cloud.md for what it checks and costs.\n';

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
const env = {
  ...process.env,
  ASSAY_REAL_PROJECT: values.project,
  ASSAY_REAL_BUCKET: values.bucket,
  ASSAY_REAL_LOCATION: values.location,
  ASSAY_REAL_KEY_FILE: values['key-file'],
  ASSAY_REAL_STAMP: process.env.ASSAY_REAL_STAMP ?? stampOf(Date.now()),
};
const account = realAccount(env);
if ('skip' in account) throw new Error(account.skip);
process.stdout.write(`in datasets ${account.datasets}* and below gs://${account.bucket}/${account.prefix}\n`);

const folder = fileURLToPath(new URL('.', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.test.js'));
// Not dist/test/run.js: jobs of a real service take as long as they take.
const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...files.map((name) => `${folder}${name}`)], {
  stdio: 'inherit',
  env,
});
// An interrupt reaches the tests as well; what they leave is still to be removed.
process.on('SIGINT', () => undefined);
const [code] = (await once(child, 'exit')) as [number | null];
process.exitCode = code ?? 1;
try {
  const { datasets, objects } = await sweep(account);
  process.stdout.write(
    datasets.length + objects === 0
      ? 'nothing was left behind\n'
      : `removed what was left behind: ${objects} objects, datasets ${datasets.join(', ') || 'none'}\n`,
  );
} catch (thrown) {
  process.stderr.write(
    `Could not look for what was left behind: ${String(thrown)}\n` +
      `Remove datasets ${account.datasets}* of ${account.projectId} and gs://${account.bucket}/${account.prefix} yourself.\n`,
  );
  process.exitCode = 1;
}
