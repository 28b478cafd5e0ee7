/** `npm run bench -- <name>`: runs one question, or all, and says on what machine. `--files=20` and the like make one smaller. */
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const all = readdirSync(here)
  .filter((file) => file.endsWith('.bench.js'))
  .map((file) => file.replace('.bench.js', ''));
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(', ')}. There are: ${all.join(', ')}.\n`);
  process.exit(2);
}
process.stdout.write(
  `node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB\n`,
);
for (const name of wanted.length > 0 ? wanted : all) {
  const module = (await import(pathToFileURL(join(here, `${name}.bench.js`)).href)) as { bench(): Promise<void> };
  process.stdout.write(`\n${name}\n`);
  await module.bench();
}
