/** Test files under dist/test -> one node:test run with a spec report and the failures once more at the end, then one line `N passed, N failed`. */
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
/** Suites that need more than Node, or more than the minutes of `npm test`; each has its own npm script. */
const SEPARATE = new Set(['ui', 'long', 'cloud', 'real']);
/** Lines of one failure that are repeated at the end. */
const CAUSE_LINES = 40;
const args = process.argv.slice(2);
const chosen = args.filter((arg) => !arg.startsWith('--'));

const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.js'))
  .filter((path) => {
    const top = path.split('/')[0] ?? '';
    if (chosen.length === 0) return !SEPARATE.has(top);
    return chosen.some((word) => path.includes(word));
  })
  .sort()
  .map((path) => join(here, path));

if (files.length === 0) {
  process.stderr.write(`No test file matches ${chosen.join(' ')}. Files are chosen by a part of their path.\n`);
  process.exit(2);
}

const count = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const stream = run({ files, concurrency: 2, timeout: 480_000 });
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined) count.skipped += 1;
  else count.passed += 1;
});
stream.on('test:fail', (event) => {
  if (event.details.type === 'suite') return;
  count.failed += 1;
  failures.push(
    `failed: ${event.file ? relative(here, event.file) : ''} › ${event.name}\n${cause(event.details.error)}`,
  );
});

/** What a failed test threw, indented below its name and cut: the whole stands where the test ran. */
function cause(error: Error): string {
  const lines = inspect(error.cause ?? error, { depth: 4 }).split('\n');
  const shown = lines.length > CAUSE_LINES ? [...lines.slice(0, CAUSE_LINES), '…'] : lines;
  return shown.map((line) => `  ${line}\n`).join('');
}

stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  setImmediate(() => {
    for (const failure of failures) process.stdout.write(failure);
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${skipped}\n`);
    process.exitCode = count.failed > 0 || count.passed === 0 ? 1 : 0;
  });
});
