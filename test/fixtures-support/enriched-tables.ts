/** Rows written down in a test -> Parquet as base silver leaves it -> what a transform makes of it, as text by column. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TransformSpec } from '../../core/spec.ts';
import type { ColumnType } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, identifiers, literal } from '../../engine/sql-text.ts';
import { FIRST_DAY, LAST_DAY } from '../../transforms/enriched/day-ranges.ts';
import {
  declaredColumns,
  type InputDefinition,
  type TransformDefinition,
} from '../../transforms/enriched/define-transform.ts';
import type { LocalTable } from '../../transforms/enriched/input-query.ts';
import { loadBuiltin } from '../../transforms/enriched/registry.ts';
import { type ResolvedTransform, resolveTransform } from '../../transforms/enriched/resolve-transform.ts';
import { runTransform } from '../../transforms/enriched/run-transform.ts';

export type Value = string | number | boolean | null;
export type TestRow = { readonly [column: string]: Value };
/** Rows by input; an input left out is one that the pipeline lacks. */
export type TestTables = { readonly [input: string]: readonly TestRow[] };
export type TextRow = { readonly [column: string]: string | null };

export interface RunOptions {
  readonly runDate: string;
  readonly params?: { readonly [name: string]: number | string | boolean | readonly number[] };
}

/** A DuckDB session and an empty folder, both gone afterwards. */
export async function withEngine(work: (session: DuckDbSession, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-enriched-'));
  try {
    await using session = await DuckDbSession.open({ threads: 2 });
    await work(session, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a built-in makes of the rows, ordered by primary key, every value in DuckDB's own spelling. */
export async function runBuiltin(
  name: string,
  tables: TestTables,
  options: RunOptions = { runDate: '2025-10-31' },
): Promise<readonly TextRow[]> {
  const definition = await loadBuiltin(name);
  let result: readonly TextRow[] = [];
  await withEngine(async (session, folder) => {
    const local: Record<string, LocalTable | null> = {};
    for (const [input, inputDefinition] of Object.entries(definition.inputs)) {
      const rows = tables[input];
      local[input] = rows ? await writeTable(session, join(folder, `${input}.parquet`), inputDefinition, rows) : null;
    }
    result = await textRows(session, await runOn(session, folder, definition, local, options));
  });
  return result;
}

/** Query text of a transform's typed, rounded output. */
export async function runOn(
  session: DuckDbSession,
  folder: string,
  definition: TransformDefinition,
  tables: { readonly [input: string]: LocalTable | null },
  options: RunOptions,
): Promise<{ readonly query: string; readonly transform: ResolvedTransform }> {
  const transform = resolveTransform(definition, specOf(definition, options), {}, null);
  const work = join(folder, `run-${definition.name}`);
  await mkdir(work, { recursive: true });
  const lastDay = transform.window === 'as_of' ? options.runDate : LAST_DAY;
  const output = await runTransform(session, {
    transform,
    inputs: { definitions: definition.inputs, tables },
    ranges: () => [{ from: FIRST_DAY, to: lastDay }],
    runDate: options.runDate,
    folder: work,
  });
  const columns = definition.columns
    .map(({ name, type }) => `CAST(${identifier(name)} AS ${duckDbType(type)}) AS ${identifier(name)}`)
    .join(', ');
  return { query: `SELECT ${columns} FROM read_parquet(${literal(output)})`, transform };
}

async function textRows(
  session: DuckDbSession,
  { query, transform }: { readonly query: string; readonly transform: ResolvedTransform },
): Promise<readonly TextRow[]> {
  const text = transform.definition.columns
    .map(({ name }) => `CAST(${identifier(name)} AS VARCHAR) AS ${identifier(name)}`)
    .join(', ');
  const keys = transform.primaryKey.filter((key) => key !== 'ingest_dt');
  return session.rows(`SELECT ${text} FROM (${query} ORDER BY ${identifiers(keys)})`) as Promise<TextRow[]>;
}

async function writeTable(
  session: DuckDbSession,
  path: string,
  definition: InputDefinition,
  rows: readonly TestRow[],
): Promise<LocalTable> {
  const declared = declaredColumns(definition);
  const given = new Set(rows.flatMap((row) => Object.keys(row)));
  const columns = Object.entries(declared)
    .filter(([name]) => given.has(name) || name in definition.columns)
    .map(([name, type]) => ({ name, type }));
  const unknown = [...given].filter((name) => !(name in declared));
  if (unknown.length > 0) throw new Error(`the test gives columns that are not read: ${unknown.join(', ')}`);
  const lines = rows.map(
    (row) =>
      `SELECT ${columns.map(({ name, type }) => `${cell(row[name] ?? null, type)} AS ${identifier(name)}`).join(', ')}`,
  );
  const empty = `SELECT ${columns.map(({ name, type }) => `${cell(null, type)} AS ${identifier(name)}`).join(', ')} WHERE false`;
  await session.run(`COPY (${[...lines, empty].join(' UNION ALL ')}) TO ${literal(path)} (FORMAT parquet)`);
  return { columns, paths: [path] };
}

function cell(value: Value, type: ColumnType): string {
  return `CAST(${value === null ? 'NULL' : literal(String(value))} AS ${duckDbType(type)})`;
}

export function specOf(definition: TransformDefinition, options: Pick<RunOptions, 'params'> = {}): TransformSpec {
  return {
    name: definition.name,
    description: '',
    implementation: { kind: 'builtin', name: definition.name },
    dependsOn: Object.keys(definition.inputs),
    partitionKey: definition.partitionKey,
    primaryKey: definition.primaryKey,
    window: definition.window === 'as_of' ? { kind: 'as_of' } : { kind: 'days', before: 0, after: 0 },
    minRows: 0,
    keyFields: [],
    checks: [],
    params: options.params ?? {},
    columns: [],
    warehouse: null,
    location: { file: 'enriched.yml', line: 1, column: 1 },
  };
}
