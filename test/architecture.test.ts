/** Holds the import table of docs/architecture.md against every import of every source file. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { packageRoot } from './fixtures-support/package-root.ts';

/** Folder -> folders of ours that it may import; itself always. `*`: anything but `ui`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | '*'>> = {
  core: [],
  config: ['core'],
  dags: ['core'],
  engine: ['core'],
  storage: ['core'],
  catalog: ['core'],
  transforms: ['core', 'engine'],
  validation: ['core', 'engine'],
  serving: ['core', 'engine'],
  sandbox: ['core', 'engine'],
  demo: ['core', 'engine'],
  scheduler: ['core', 'dags'],
  api: ['core', 'dags', 'scheduler'],
  cli: '*',
  'index.ts': '*',
  test: '*',
  bench: '*',
};

/** Package (or its scope) -> the places that may import it. */
const MAY_USE_PACKAGE: readonly (readonly [RegExp, RegExp])[] = [
  [/^@duckdb\//, /^(engine\/|serving\/.*duckdb|sandbox\/)/],
  [/^nodejs-polars$/, /^(engine\/|transforms\/enriched\/)/],
  [/^@google-cloud\/storage$/, /^storage\/.*gcs/],
  [/^@google-cloud\/bigquery$/, /^serving\/.*bigquery/],
  [/^@aws-sdk\//, /^storage\/.*s3/],
  [/^https-proxy-agent$/, /^storage\/cloud\//],
  [/^(hono|@hono\/.*)(\/|$)/, /^(api|sandbox|cli)\//],
  [/^yaml$/, /^(dags|config)\//],
  [/^(kysely|libsql|pg)$/, /^scheduler\/store\//],
  [/^croner$/, /^scheduler\/cron\.ts$/],
  [/^commander$/, /^cli\//],
];

const root = packageRoot();

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
  .filter((path) => !/(^|\/)node_modules\/|^(dist|data|\.assay|\.git)\//.test(path));

const imports: readonly Import[] = files.flatMap((from) => importsOf(from));

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found: Import[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const match of text.matchAll(pattern)) {
    const target = match[2] ?? match[3];
    if (!target) continue;
    const to = target.startsWith('.')
      ? relative(root, join(root, dirname(file), target)).replaceAll('\\', '/')
      : target;
    found.push({ from: file, to, typeOnly: match[1] !== undefined });
  }
  return found;
}

const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? path) : path);
const isOurs = (target: string): boolean => target.endsWith('.ts');

describe('the import table', () => {
  test('knows every folder that holds source', () => {
    const unknown = [...new Set(files.map(folderOf))].filter((folder) => !(folder in MAY_IMPORT));
    assert.deepEqual(unknown, []);
  });

  test('is acyclic', () => {
    const visit = (folder: string, path: readonly string[]): void => {
      assert.ok(!path.includes(folder), `the table has a cycle: ${[...path, folder].join(' → ')}`);
      const next = MAY_IMPORT[folder];
      if (Array.isArray(next)) for (const inner of next) visit(inner, [...path, folder]);
    };
    for (const folder of Object.keys(MAY_IMPORT)) visit(folder, []);
  });

  test('is obeyed by every import', () => {
    const broken = imports
      .filter((edge) => isOurs(edge.to))
      .filter((edge) => {
        const from = folderOf(edge.from);
        const to = folderOf(edge.to);
        const allowed = MAY_IMPORT[from];
        return from !== to && allowed !== '*' && !allowed?.includes(to);
      })
      .map((edge) => `${edge.from} imports ${edge.to}`);
    assert.deepEqual(broken, []);
  });

  test('keeps each package behind its wall', () => {
    const broken = imports
      .filter((edge) => !isOurs(edge.to) && !/^(test|bench)\//.test(edge.from))
      .filter((edge) => MAY_USE_PACKAGE.some(([name, places]) => name.test(edge.to) && !places.test(edge.from)))
      .map((edge) => `${edge.from} imports ${edge.to}`);
    assert.deepEqual(broken, []);
  });

  test('has no cycle of value imports', () => {
    const next = new Map<string, string[]>();
    for (const edge of imports) {
      if (!isOurs(edge.to) || edge.typeOnly) continue;
      next.set(edge.from, [...(next.get(edge.from) ?? []), edge.to]);
    }
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      const at = path.indexOf(file);
      assert.ok(at < 0, `import cycle: ${[...path.slice(at), file].join(' → ')}`);
      if (done.has(file)) return;
      for (const target of next.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });
});

describe('house rules', () => {
  const sources = files.filter((file) => !/^(test|bench)\//.test(file));

  test('every source file begins by saying what it does', () => {
    const silent = sources.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(readFileSync(join(root, file), 'utf8')));
    assert.deepEqual(silent, []);
  });

  test('the clock is read in cli alone, where the ports are built', () => {
    const clocks = sources
      .filter((file) => !file.startsWith('cli/'))
      .filter((file) => /\bDate\.now\(\)|\bnew Date\(\)/.test(codeOf(file)));
    assert.deepEqual(clocks, []);
  });

  test('the environment is read in one place, and handed on', () => {
    const readers = sources.filter((file) => /\bprocess\.env\b/.test(codeOf(file)));
    for (const file of readers) assert.match(file, /^(config\/settings\.ts|cli\/)/);
  });
});

function codeOf(file: string): string {
  return readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
