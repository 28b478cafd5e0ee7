/** `test/fixtures/google-sql/*.sql` -> the statements of the corpus and the small tables that they read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ColumnSchema } from '../../core/types.ts';
import type { CanonicalRows } from './canonical-rows.ts';
import { packageRoot } from './package-root.ts';

/**
 * One statement. In its file it begins with `-- @case name` and may say, in lines of the same kind,
 *
 * - `@refused 1:15 words of the message`: the dialect must refuse it there;
 * - `@error`: it fails on both engines as it runs;
 * - `@newer reason`: the old ZetaSQL build rejects it, so that its rows are written down: `@row 1 | web | NULL`.
 */
export interface CorpusCase {
  readonly name: string;
  readonly file: string;
  readonly sql: string;
  readonly refused: { readonly at: string; readonly message: string } | null;
  readonly fails: boolean;
  readonly newer: { readonly reason: string; readonly rows: readonly (readonly (string | null)[])[] } | null;
}

export interface CorpusTable {
  readonly columns: readonly ColumnSchema[];
  readonly rows: readonly (readonly (string | null)[])[];
}

const FOLDER = 'test/fixtures/google-sql';

/** What ZetaSQL gave for the statements that it runs, by name. */
export const RECORDED_FILE = join(packageRoot(), FOLDER, 'zetasql-rows.json');

export function readRecorded(): Readonly<Record<string, CanonicalRows>> {
  return JSON.parse(readFileSync(RECORDED_FILE, 'utf8')) as Record<string, CanonicalRows>;
}

/** In the order of files and of their text. */
export function readCorpus(): readonly CorpusCase[] {
  const folder = join(packageRoot(), FOLDER);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .flatMap((file) => casesOf(file, readFileSync(join(folder, file), 'utf8')));
}

/** By name; their layer is `shop`. */
export function readCorpusTables(): Readonly<Record<string, CorpusTable>> {
  return JSON.parse(readFileSync(join(packageRoot(), FOLDER, 'tables.json'), 'utf8')) as Record<string, CorpusTable>;
}

function casesOf(file: string, text: string): readonly CorpusCase[] {
  const [, ...blocks] = text.split(/^-- @case /m);
  return blocks.map((block) => {
    const [name = '', ...lines] = block.split('\n');
    const said = (word: string): readonly string[] =>
      lines.flatMap((line) => (line.startsWith(`-- @${word}`) ? [line.slice(word.length + 4).trim()] : []));
    const sql = lines
      .filter((line) => !line.startsWith('-- @'))
      .join('\n')
      .trim();
    const [refused] = said('refused');
    const [reason] = said('newer');
    return {
      name,
      file,
      sql,
      refused:
        refused === undefined
          ? null
          : { at: refused.split(' ')[0] ?? '', message: refused.slice(refused.indexOf(' ') + 1) },
      fails: lines.includes('-- @error'),
      newer: reason === undefined ? null : { reason, rows: said('row').map(cellsOf) },
    };
  });
}

function cellsOf(row: string): readonly (string | null)[] {
  return row.split('|').map((cell) => (cell.trim() === 'NULL' ? null : cell.trim()));
}
