/** GoogleSQL of the corpus and of the marts -> the same rows on DuckDB, through the dialect, and on ZetaSQL, Google's own engine. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parseQuery } from '../../core/google-sql/parser.ts';
import type { MartSpec, Spec } from '../../core/spec.ts';
import type { ColumnSchema, ColumnType } from '../../core/types.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import { identifier } from '../../engine/sql-text.ts';
import { type CanonicalRows, differenceOf } from '../fixtures-support/canonical-rows.ts';
import { CORPUS_LAYER, CORPUS_PARAMETERS, translateCase } from '../fixtures-support/google-sql-case.ts';
import {
  type CorpusCase,
  type CorpusTable,
  RECORDED_FILE,
  readCorpus,
  readCorpusTables,
  readRecorded,
} from '../fixtures-support/google-sql-corpus.ts';
import { DuckDbRows } from '../fixtures-support/google-sql-duckdb.ts';
import { chanceRows, enrichedColumns, extremeRows, givenRows } from '../fixtures-support/mart-inputs.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import { type GoogleParameter, GoogleSqlEngine, type InputTable } from './zetasql/google-sql-engine.ts';
import { installZetaSql, ZETASQL_FOLDER } from './zetasql/install.ts';

const missing = await installZetaSql();
const skip = missing ?? false;
/** Writes down what ZetaSQL says, for the tests that run without it. */
const isRecording = process.env.ASSAY_RECORD_ZETASQL === '1';

const corpus = readCorpus();
const corpusTables = readCorpusTables();
const executed = corpus.filter((each) => !each.refused && !each.newer && !each.fails);
const recorded = readRecorded();
const found: Record<string, CanonicalRows> = {};

let google: GoogleSqlEngine;
let spec: Spec;

before(async () => {
  if (missing !== null) return;
  google = await GoogleSqlEngine.start(ZETASQL_FOLDER);
  ({ spec } = readSpec({ root: packageRoot(), folder: 'specs/ecommerce', environment: 'local', env: {} }));
});

after(async () => {
  if (missing !== null) return;
  await google.close();
  if (isRecording) writeFileSync(RECORDED_FILE, recordedText(found));
});

/** One row a line. */
function recordedText(results: Readonly<Record<string, CanonicalRows>>): string {
  const entries = Object.entries(results).map(([name, { types, rows }]) => {
    const lines = rows.map((row) => `      ${JSON.stringify(row)}`).join(',\n');
    const list = rows.length === 0 ? '[]' : `[\n${lines}\n    ]`;
    return `  ${JSON.stringify(name)}: {\n    "types": ${JSON.stringify(types)},\n    "rows": ${list}\n  }`;
  });
  return `{\n${entries.join(',\n')}\n}\n`;
}

function googleType(type: ColumnType): string {
  switch (type) {
    case 'string':
    case 'int64':
    case 'float64':
    case 'bool':
    case 'date':
    case 'timestamp':
      return type.toUpperCase();
    default:
      return 'NUMERIC';
  }
}

function inputTables(tables: Readonly<Record<string, CorpusTable>>): readonly InputTable[] {
  return Object.entries(tables).map(([name, { columns, rows }]) => ({
    name,
    columns: columns.map((column) => ({ name: column.name, type: googleType(column.type) })),
    rows,
  }));
}

/** ZetaSQL's tables have no layer; it keeps the name by which the statement knows them. */
const withoutLayer = (sql: string, layer: string): string => sql.replaceAll(new RegExp(`\\b${layer}\\.`, 'g'), '');

const PARAMETERS: readonly GoogleParameter[] = Object.entries(CORPUS_PARAMETERS).map(([name, value]) => ({
  name,
  type: typeof value === 'number' ? 'INT64' : 'DATE',
  value: String(value),
}));

const onGoogle = ({ sql }: CorpusCase) =>
  google.evaluate(withoutLayer(sql, CORPUS_LAYER), inputTables(corpusTables), PARAMETERS);

test('the corpus has at least 120 statements that run on both engines', () => {
  assert.ok(executed.length >= 120, `${executed.length} statements`);
});

describe('a statement of the corpus has the same rows on both engines', { skip }, () => {
  let duck: DuckDbRows;
  before(async () => {
    duck = await DuckDbRows.open(corpusTables);
  });
  after(() => duck[Symbol.dispose]());

  for (const each of executed) {
    test(each.name, async () => {
      const expected = await onGoogle(each);
      found[each.name] = expected;
      const rows = await duck.evaluate(translateCase(each.sql, corpusTables));
      assert.equal(differenceOf(rows, expected, parseQuery(each.sql).orderBy.length > 0), null);
      if (!isRecording) assert.deepEqual(recorded[each.name], expected, 'zetasql-rows.json is out of date');
    });
  }
});

describe('what fails as it runs fails on both engines', { skip }, () => {
  let duck: DuckDbRows;
  before(async () => {
    duck = await DuckDbRows.open(corpusTables);
  });
  after(() => duck[Symbol.dispose]());

  for (const each of corpus.filter(({ fails }) => fails)) {
    test(each.name, async () => {
      await assert.rejects(onGoogle(each), /OUT_OF_RANGE|INVALID_ARGUMENT/);
      const duckSql = translateCase(each.sql, corpusTables);
      await assert.rejects(duck.evaluate(duckSql), /Error/);
    });
  }
});

describe('what only the old ZetaSQL build rejects is still rejected by it', { skip }, () => {
  for (const each of corpus.filter(({ newer }) => newer !== null)) {
    test(`${each.name}: ${each.newer?.reason}`, async () => {
      await assert.rejects(
        onGoogle(each),
        (error) => error instanceof Error && error.message.includes(each.newer?.reason ?? ''),
      );
    });
  }
});

const DAYS = ['2025-03-01', '2025-03-02', '2025-03-04'] as const;

/** A mart's rows in its declared types: the cast that a warehouse makes, in GoogleSQL, so that it too is compared. */
function castRows(mart: MartSpec): string {
  const columns = mart.columns.map(({ name, type }) => {
    const scale = /,(\d+)\)/.exec(type)?.[1];
    const cast = `CAST(\`${name}\` AS ${googleType(type)})`;
    return `${scale === undefined ? cast : `ROUND(${cast}, ${scale})`} AS \`${name}\``;
  });
  return `SELECT ${columns.join(', ')} FROM (\n${mart.sql}\n)`;
}

/** One day each where the mart is built by days, else all time. */
function windowsOf(mart: MartSpec): readonly (readonly [string, string])[] {
  if (mart.partitionKey === null) return [['0001-01-01', '9999-12-31']];
  return [...DAYS.map((day) => [day, nextDay(day)] as const), [DAYS[0], nextDay(DAYS[2])]];
}

function nextDay(day: string): string {
  return new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
}

function martParameters([start, end]: readonly [string, string]): readonly GoogleParameter[] {
  return [
    { name: 'window_start', type: 'DATE', value: start },
    { name: 'window_end', type: 'DATE', value: end },
  ];
}

async function martRows(
  mart: MartSpec,
  columns: Readonly<Record<string, readonly ColumnSchema[]>>,
  duck: DuckDbRows,
  window: readonly [string, string],
): Promise<CanonicalRows> {
  const duckSql = toDuckDbQuery(castRows(mart), {
    parameters: { window_start: window[0], window_end: window[1] },
    table: (layer, name) => (layer === 'enriched' && Object.hasOwn(columns, name) ? identifier(name) : null),
    columns: (_layer, name) => columns[name] ?? null,
  });
  return duck.evaluate(duckSql);
}

describe('the marts of the reference pipeline', { skip }, () => {
  test('are eight, and Google’s analyser takes each with the columns that its inputs declare', async () => {
    assert.equal(spec.marts.length, 8);
    const columns = await enrichedColumns(spec);
    const tables = inputTables(
      Object.fromEntries(Object.entries(columns).map(([name, own]) => [name, { columns: own, rows: [] }])),
    );
    for (const mart of spec.marts) {
      await google.analyze(
        withoutLayer(castRows(mart), 'enriched'),
        tables,
        martParameters(['2025-03-01', '2025-03-02']),
      );
    }
  });

  test('are judged by that analyser: a column that no input has is named', async () => {
    const columns = await enrichedColumns(spec);
    const tables = inputTables({ int_sales_velocity: { columns: columns.int_sales_velocity ?? [], rows: [] } });
    await assert.rejects(
      google.analyze('SELECT velocity FROM int_sales_velocity', tables, []),
      /Unrecognized name: velocity/,
    );
  });

  const sources: readonly (readonly [
    string,
    (columns: Readonly<Record<string, readonly ColumnSchema[]>>) => Readonly<Record<string, CorpusTable>>,
  ])[] = [
    ['hand-made rows', givenRows],
    ...[1, 2, 3].map(
      (seed) =>
        [
          `rows by chance, seed ${seed}`,
          (columns: Parameters<typeof chanceRows>[0]) => chanceRows(columns, seed * 7919),
        ] as const,
    ),
  ];
  for (const [name, rowsOf] of sources) {
    test(`have the same rows on both engines: ${name}`, async () => {
      const columns = await enrichedColumns(spec);
      const tables = rowsOf(columns);
      using duck = await DuckDbRows.open(tables);
      for (const mart of spec.marts) {
        let rows = 0;
        for (const window of windowsOf(mart)) {
          const read = inputTables(tables).filter((table) => mart.inputs.some((input) => input.table === table.name));
          const expected = await google.evaluate(
            withoutLayer(castRows(mart), 'enriched'),
            read,
            martParameters(window),
          );
          const difference = differenceOf(await martRows(mart, columns, duck, window), expected, false);
          assert.equal(difference, null, `${mart.name} of [${window.join(', ')})`);
          rows += expected.rows.length;
        }
        assert.ok(rows > 0, `${mart.name} has no rows to compare`);
      }
    });
  }

  for (const [seed, count] of [
    [0, 0],
    ...[1, 2].map((one) => [one * 104_729, 1] as const),
    ...[1, 2, 3, 4].map((one) => [one * 15_485_863, 60] as const),
  ] as const) {
    test(`have the same rows on both engines, or fail on both: ${count} extreme rows, seed ${seed}`, async () => {
      const columns = await enrichedColumns(spec);
      const tables = extremeRows(columns, seed, count);
      using duck = await DuckDbRows.open(tables);
      for (const mart of spec.marts) {
        for (const window of [...windowsOf(mart), ['2024-02-29', '2024-03-01'] as const]) {
          const read = inputTables(tables).filter((table) => mart.inputs.some((input) => input.table === table.name));
          const [expected, found] = await Promise.allSettled([
            google.evaluate(withoutLayer(castRows(mart), 'enriched'), read, martParameters(window)),
            martRows(mart, columns, duck, window),
          ]);
          const where = `${mart.name} of [${window.join(', ')})`;
          if (expected.status === 'rejected') {
            assert.match(String(expected.reason), /OUT_OF_RANGE/, where);
            assert.equal(found.status, 'rejected', `${where}: ${expected.reason}`);
            continue;
          }
          if (found.status === 'rejected') throw new Error(where, { cause: found.reason });
          assert.equal(differenceOf(found.value, expected.value, false), null, where);
        }
      }
    });
  }
});
