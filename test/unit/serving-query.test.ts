/** An analyst's query over what is published: what it may read, what it is told, and what it can never reach. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asPipelineError } from '../../core/errors.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { openLockedSession } from '../../serving/query/locked-session.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { queryRows } from '../fixtures-support/query-rows.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const MART = `SELECT * FROM (VALUES (DATE '2025-03-01', 'web', 10.00::DECIMAL(18,2)), (DATE '2025-03-02', 'phone', 7.50::DECIMAL(18,2))) AS t(day, channel, amount)`;
const ORDERS = "SELECT DATE '2025-03-01' AS order_dt, 'o1' AS order_id";

async function withLake(work: (lake: EnrichedLake, folder: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    await using session = await DuckDbSession.open({ threads: 1 });
    const lake = new EnrichedLake(session, folder);
    await lake.publishTables('gold', { fct_sales: MART }, () => 'day');
    await lake.publishTables('enriched', { int_orders: ORDERS }, () => 'order_dt');
    await work(lake, folder);
  });
}

const ask = (
  lake: EnrichedLake,
  sql: string,
  words: { readonly maxRows?: number; readonly maxSeconds?: number } = {},
) =>
  queryRows({
    publications: lake.publications,
    lake: lake.files,
    sql,
    maxRows: words.maxRows ?? 100,
    maxSeconds: words.maxSeconds ?? 30,
  });

async function refusal(lake: EnrichedLake, sql: string): Promise<string> {
  try {
    await ask(lake, sql);
  } catch (thrown) {
    const error = asPipelineError(thrown);
    return `${error.code}: ${error.message}`;
  }
  return 'it was answered';
}

describe('a query', () => {
  test('reads gold by its full or its bare name, and says which version it read', async () => {
    await withLake(async (lake) => {
      const answer = await ask(
        lake,
        'SELECT channel, SUM(amount) AS amount FROM gold.fct_sales GROUP BY channel ORDER BY channel;',
      );
      assert.deepEqual(answer.columns, [
        { name: 'channel', type: 'string' },
        { name: 'amount', type: 'decimal(31,2)' },
      ]);
      assert.deepEqual(answer.rows, [
        ['phone', '7.50'],
        ['web', '10.00'],
      ]);
      assert.equal(answer.truncated, false);
      assert.deepEqual(answer.publications, [
        { layer: 'gold', sequence: 1, publishedAt: '1970-01-01T00:00:00.000Z', verdict: null },
      ]);
      const bare = await ask(lake, 'SELECT COUNT(*) FROM fct_sales');
      assert.deepEqual([bare.columns, bare.rows], [[{ name: 'f0_', type: 'int64' }], [[2]]]);
    });
  });

  test('reads the layers below too', async () => {
    await withLake(async (lake) => {
      const answer = await ask(
        lake,
        'SELECT order_id, amount FROM enriched.int_orders JOIN fct_sales ON order_dt = day',
      );
      assert.deepEqual(answer.rows, [['o1', '10.00']]);
      assert.deepEqual(
        answer.publications.map(({ layer }) => layer),
        ['gold', 'enriched'],
      );
    });
  });

  test('gets as many rows as it asked for, and is told that there are more', async () => {
    await withLake(async (lake) => {
      const answer = await ask(lake, 'SELECT day FROM fct_sales ORDER BY day DESC', { maxRows: 1 });
      assert.deepEqual([answer.rows, answer.truncated], [[['2025-03-02']], true]);
    });
  });

  test('keeps to one version while another is published', async () => {
    await withLake(async (lake) => {
      await lake.publishTables('gold', { fct_sales: `SELECT * FROM (${MART}) WHERE channel = 'web'` }, () => 'day');
      const answer = await ask(lake, 'SELECT COUNT(*) FROM fct_sales');
      assert.deepEqual([answer.rows, answer.publications[0]?.sequence], [[[1]], 2]);
    });
  });

  test('a misspelt table or column is named with its place and what was meant', async () => {
    await withLake(async (lake) => {
      assert.match(
        await refusal(lake, 'SELECT 1 FROM gold.fct_sale'),
        /^sql_invalid: .*line 1, column 15: There is no table gold\.fct_sale\. Did you mean gold\.fct_sales\?/,
      );
      assert.match(await refusal(lake, 'SELECT 1 FROM silver.int_orders'), /Did you mean enriched\.int_orders\?/);
      assert.match(
        await refusal(lake, 'SELECT amuont FROM fct_sales'),
        /^sql_invalid: .*column 8: There is no column “amuont” here\. Did you mean amount\?/,
      );
    });
  });

  test('that fails on its data says so, and is no internal fault', async () => {
    await withLake(async (lake) => {
      assert.match(await refusal(lake, 'SELECT amount / 0 FROM fct_sales'), /^sql_invalid: .*division by zero/);
      assert.match(
        await refusal(lake, 'SELECT channel FROM fct_sales GROUP BY day'),
        /^sql_invalid: The query failed: .*GROUP BY/,
      );
    });
  });

  test('that takes too long is stopped', async () => {
    await withLake(async (lake) => {
      const endless =
        'SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 20000)) AS a, UNNEST(GENERATE_ARRAY(1, 20000)) AS b, UNNEST(GENERATE_ARRAY(1, 20000)) AS c WHERE MOD(a * b + c, 7) = 3';
      await assert.rejects(
        ask(lake, `${endless} AND EXISTS (SELECT 1 FROM fct_sales)`, { maxSeconds: 0.3 }),
        (thrown) => asPipelineError(thrown).code === 'task_timeout',
      );
    });
  });

  test('before anything is published is told to run the pipeline', async () => {
    await withTempFolder(async (folder) => {
      await using session = await DuckDbSession.open({ threads: 1 });
      assert.match(
        await refusal(new EnrichedLake(session, folder), 'SELECT 1'),
        /^publication_not_found: Nothing is published yet/,
      );
    });
  });

  const STATEMENTS: readonly string[] = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM `/etc/passwd`',
    "COPY fct_sales TO 'stolen.csv'",
    "ATTACH 'other.db'",
    'SELECT 1; DROP VIEW gold.fct_sales',
    'INSTALL httpfs',
    "SELECT getenv('HOME')",
    'SELECT * FROM duckdb_settings()',
    'SELECT * FROM information_schema.tables',
  ];
  for (const sql of STATEMENTS) {
    test(`is not ${sql}`, async () => {
      await withLake(async (lake) => {
        assert.match(await refusal(lake, sql), /^(sql_not_portable|sql_invalid): SQL line 1/);
      });
    });
  }
});

describe('the locked session under it, whatever SQL should ever reach it', () => {
  test('reads its own files', async () => {
    await withLake(async (lake) => {
      const localPaths = await lake.files.localPaths(await lake.publications.files('gold', 'fct_sales'));
      const columns = [
        { name: 'channel', type: 'string' },
        { name: 'added_later', type: 'int64' },
      ] as const;
      await using session = await openLockedSession({}, [{ schema: 'gold', name: 'fct_sales', columns, localPaths }]);
      assert.deepEqual(await session.rows('SELECT * FROM gold.fct_sales ORDER BY 1'), [
        { channel: 'phone', added_later: null },
        { channel: 'web', added_later: null },
      ]);
    });
  });

  test('reads and writes no other file, and cannot be unlocked', async () => {
    await withLake(async (_lake, folder) => {
      await using session = await openLockedSession({}, []);
      const target = join(folder, 'stolen.csv');
      for (const sql of [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        `COPY (SELECT 1) TO '${target}'`,
        `ATTACH '${join(folder, 'other.db')}'`,
        'SET enable_external_access = true',
        'SET lock_configuration = false',
        "SET allowed_paths = ['/etc/passwd']",
        'INSTALL httpfs',
      ]) {
        await assert.rejects(session.rows(sql), /Permission|disabled|locked|not allowed|Cannot change/i, sql);
      }
      assert.equal(existsSync(target), false);
    });
  });
});
