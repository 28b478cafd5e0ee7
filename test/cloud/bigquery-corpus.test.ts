/** GoogleSQL of the corpus, as it is written -> the same rows on bqemulator as on DuckDB through the dialect. */
import { strict as assert } from 'node:assert';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BigQuery } from '@google-cloud/bigquery';
import { parseQuery } from '../../core/google-sql/parser.ts';
import { googleSqlType } from '../../serving/bigquery/schema.ts';
import { differenceOf } from '../fixtures-support/canonical-rows.ts';
import { CORPUS_LAYER, CORPUS_PARAMETERS, translateCase } from '../fixtures-support/google-sql-case.ts';
import {
  type CorpusCase,
  type CorpusTable,
  readCorpus,
  readCorpusTables,
} from '../fixtures-support/google-sql-corpus.ts';
import { DuckDbRows } from '../fixtures-support/google-sql-duckdb.ts';
import { DIFFERENCES } from './bigquery-differences.ts';
import { bigQueryClient } from './bigquery-place.ts';
import { evaluate, type NamedParameter } from './bigquery-rows.ts';
import { startBqemulator } from './cloud-servers.ts';

const lake = await mkdtemp(join(tmpdir(), 'assay-test-'));
after(() => rm(lake, { recursive: true, force: true }));
const server = await startBqemulator(lake);
const tables = readCorpusTables();
const corpus = readCorpus().filter(({ refused }) => refused === null);

const PARAMETERS: readonly NamedParameter[] = Object.entries(CORPUS_PARAMETERS).map(([name, value]) => ({
  name,
  type: typeof value === 'number' ? 'INT64' : 'DATE',
  value: String(value),
}));

const reasons = new Map(
  DIFFERENCES.flatMap(({ reason, cases }) => cases.map((name) => [name, `${server.title}: ${reason}`] as const)),
);

async function createTables(client: BigQuery): Promise<void> {
  const [dataset] = await client.createDataset(CORPUS_LAYER);
  for (const [name, table] of Object.entries(tables)) {
    const columns = table.columns.map((column) => `\`${column.name}\` ${googleSqlType(widened(column.type))}`);
    await client.createQueryJob({ query: `CREATE TABLE ${dataset.id}.${name} (${columns.join(', ')})` });
    await client.createQueryJob({ query: `INSERT INTO ${dataset.id}.${name} VALUES ${valuesOf(table)}` });
  }
}

/** All decimals of the corpus are plain NUMERIC there, as ZetaSQL has them. */
const widened = (type: string): string => (type.startsWith('decimal') ? 'decimal(38,9)' : type);

function valuesOf({ columns, rows }: CorpusTable): string {
  return rows
    .map((row) => {
      const cells = row.map((cell, index) =>
        cell === null ? 'NULL' : `CAST(${quoted(cell)} AS ${googleSqlType(widened(columns[index]?.type ?? 'string'))})`,
      );
      return `(${cells.join(', ')})`;
    })
    .join(',\n');
}

/** A text of JSON is one of GoogleSQL too, but for the slash that JSON may escape and does not. */
const quoted = (text: string): string => JSON.stringify(text);

if ('skip' in server) describe(`the corpus on ${server.title}`, { skip: server.skip }, () => {});
else {
  after(() => server.close());
  const client = bigQueryClient({
    projectId: 'test-project',
    bucket: '',
    location: 'US',
    keyFile: null,
    storageEndpoint: null,
    bigQueryEndpoint: server.url,
  });
  let duck: DuckDbRows;
  before(async () => {
    await createTables(client);
    duck = await DuckDbRows.open(tables);
  });
  after(() => duck[Symbol.dispose]());

  /** Null where both agree. */
  const disagreement = async ({ sql, fails }: CorpusCase): Promise<string | null> => {
    const found = await evaluate(client, sql, PARAMETERS).catch(String);
    if (fails) return typeof found === 'string' ? null : `it does not fail, but gives ${JSON.stringify(found.rows)}`;
    if (typeof found === 'string') return found;
    const expected = await duck.evaluate(translateCase(sql, tables));
    return differenceOf(found, expected, parseQuery(sql).orderBy.length > 0);
  };

  describe(`the corpus on ${server.title}`, { concurrency: 2 }, () => {
    for (const each of corpus) {
      test(`${each.fails ? 'fails: ' : ''}${each.name}`, async (context) => {
        const difference = await disagreement(each);
        const reason = reasons.get(each.name);
        if (reason === undefined) {
          assert.equal(difference, null);
          return;
        }
        assert.notEqual(difference, null, `this difference is gone, remove its entry: ${reason}`);
        context.skip(reason);
      });
    }
  });

  test('the list of differences names only statements that there are, each once', () => {
    const names = DIFFERENCES.flatMap(({ cases }) => cases);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(
      names.filter((name) => !corpus.some((each) => each.name === name)),
      [],
    );
  });
}
