/** `test/fixtures/google-sql/mart-inputs.json`, and chance with a seed -> rows of the enriched tables, as their transforms declare them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Spec } from '../../core/spec.ts';
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { loadBuiltin } from '../../transforms/enriched/registry.ts';
import type { CorpusTable } from './google-sql-corpus.ts';
import { packageRoot } from './package-root.ts';

interface Given {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Columns of every enriched table; a snapshot also has the day that it was taken. */
export async function enrichedColumns(spec: Spec): Promise<Readonly<Record<string, readonly ColumnSchema[]>>> {
  const tables: Record<string, readonly ColumnSchema[]> = {};
  for (const { name, partitionKey } of spec.transforms) {
    const { columns } = await loadBuiltin(name);
    const hasKey = columns.some((column) => column.name === partitionKey);
    tables[name] = hasKey ? columns : [...columns, { name: partitionKey, type: 'date' }];
  }
  return tables;
}

/** The hand-made rows; a column that they do not name is NULL. */
export function givenRows(
  columns: Readonly<Record<string, readonly ColumnSchema[]>>,
): Readonly<Record<string, CorpusTable>> {
  const file = join(packageRoot(), 'test/fixtures/google-sql/mart-inputs.json');
  const given = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, Given>>;
  return mapTables(columns, (name, own) => {
    const table = given[name];
    if (!table) throw new Error(`mart-inputs.json has no rows of ${name}`);
    const unknown = table.columns.find((column) => !own.some((each) => each.name === column));
    if (unknown) throw new Error(`${name} declares no column ${unknown}`);
    return table.rows.map((row) => own.map((column) => row[table.columns.indexOf(column.name)] ?? null));
  });
}

/** Rows that meet each other: few days, products and words, many NULLs, zeros and halves. */
export function chanceRows(
  columns: Readonly<Record<string, readonly ColumnSchema[]>>,
  seed: number,
): Readonly<Record<string, CorpusTable>> {
  const next = random(seed);
  const pick = (choices: readonly string[]): string => choices[Math.floor(next() * choices.length)] ?? '';
  const cell = ({ name, type }: ColumnSchema): string | null => {
    const isKey = name === 'product_id' || type === 'date';
    if (!isKey && next() < 0.15) return null;
    return chanceValue(name, type, pick, next);
  };
  return mapTables(columns, (_name, own) => Array.from({ length: 40 }, () => own.map(cell)));
}

/** What a table may hold at its worst; `count` rows of each, 0 and 1 among them. */
export function extremeRows(
  columns: Readonly<Record<string, readonly ColumnSchema[]>>,
  seed: number,
  count: number,
): Readonly<Record<string, CorpusTable>> {
  const next = random(seed);
  const pick = (choices: readonly string[]): string => choices[Math.floor(next() * choices.length)] ?? '';
  const cell = ({ type }: ColumnSchema): string | null => {
    if (type !== 'date' && next() < 0.25) return null;
    return extremeValue(type, pick);
  };
  return mapTables(columns, (_name, own) => {
    const rows = Array.from({ length: count }, () => own.map(cell));
    // The same rows again, and one that holds nothing but its days.
    const nothing = own.map((column) => (column.type === 'date' ? cell(column) : null));
    return count < 2 ? rows : [...rows, ...rows.slice(0, count / 4), nothing];
  });
}

const LONG_TEXT = 'Ünï \u{1f469}\u{1f3fd}\u200d\u{1f680} '.repeat(100);

function extremeValue(type: ColumnType, pick: (choices: readonly string[]) => string): string {
  switch (type) {
    case 'string':
      return pick([
        'abandoned',
        'converted',
        'web',
        '',
        ' ',
        'ß ﬁ ΟΔΟΣ İ',
        'e\u0301',
        'é',
        "o'b\\r%_",
        'a\tb\nc',
        LONG_TEXT,
      ]);
    case 'int64':
      return pick(['0', '1', '-1', '2', '2147483647', '-2147483648', '4000000000']);
    case 'float64':
      return pick(['0', '-0', '0.1', '1e-300', '1e15', '-123456789.123456789']);
    case 'bool':
      return pick(['true', 'false']);
    case 'date':
      return pick([
        '2025-03-01',
        '2025-03-01',
        '2025-03-02',
        '2025-03-04',
        '2024-02-29',
        '2025-12-31',
        '0001-01-01',
        '9999-12-31',
      ]);
    case 'timestamp':
      return pick([
        '2025-03-01 00:00:00',
        '2025-03-01 23:59:59.999999',
        '2025-03-09 06:59:59.999999',
        '2025-03-09 07:00:00',
        '2025-11-02 05:30:00',
        '2025-11-02 06:30:00',
        '2024-02-29 12:00:00.000001',
        '1969-12-31 23:59:59.5',
      ]);
    default: {
      const [precision = 18, scale = 0] = (type.match(/\d+/g) ?? []).map(Number);
      const most = `${'9'.repeat(Math.min(precision - scale, 12))}${scale > 0 ? `.${'9'.repeat(scale)}` : ''}`;
      const least = scale > 0 ? `0.${'0'.repeat(scale - 1)}1` : '1';
      return pick(['0', least, `-${least}`, '1', '-1', '3', most, `-${most}`]);
    }
  }
}

function mapTables(
  columns: Readonly<Record<string, readonly ColumnSchema[]>>,
  rows: (name: string, columns: readonly ColumnSchema[]) => CorpusTable['rows'],
): Readonly<Record<string, CorpusTable>> {
  return Object.fromEntries(
    Object.entries(columns).map(([name, own]) => [name, { columns: own, rows: rows(name, own) }]),
  );
}

function chanceValue(
  name: string,
  type: ColumnType,
  pick: (choices: readonly string[]) => string,
  next: () => number,
): string {
  switch (type) {
    case 'string':
      return name.endsWith('status')
        ? pick(['abandoned', 'converted', 'empty'])
        : pick(['web', 'phone', 'unknown', '', 'Été']);
    case 'int64':
      return pick(['0', '1', '2', '3', '7', '-4']);
    case 'float64':
      return pick(['0', '0.1', '-2.5', '1e9']);
    case 'bool':
      return pick(['true', 'false']);
    case 'date':
      return pick(['2025-02-28', '2025-03-01', '2025-03-02', '2025-03-04']);
    case 'timestamp':
      return pick(['2025-03-01 00:00:00', '2025-03-01 23:59:59.999999']);
    default: {
      const scale = Number(/,(\d+)\)/.exec(type)?.[1] ?? 0);
      return (Math.round((next() - 0.3) * 10 ** (scale + 2)) / 10 ** scale).toFixed(scale);
    }
  }
}

/** @source G. Marsaglia, "Xorshift RNGs" (2003), 32 bits */
function random(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
