/** A query's answer as a file: its bytes, its caps, the versions that it names, and what it costs those who explode it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asPipelineError, PipelineError } from '../../core/errors.ts';
import type { PublicationReader } from '../../core/ports.ts';
import type { JsonObject, PublishedLayer, Verdict } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { openLockedSession } from '../../serving/query/locked-session.ts';
import { type QueryRequest, queryGold } from '../../serving/query/query-gold.ts';
import { EnrichedLake } from '../fixtures-support/enriched-lake.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

const COLUMNS: readonly string[] = [
  "1 AS id, 'plain' AS word, 0.10::DECIMAL(18,2) AS amount, DATE '2025-03-01' AS day, TIMESTAMPTZ '2025-03-01 06:00:00+00' AS seen_at, TRUE AS ok, 9007199254740993 AS big, 1.5::DOUBLE AS rate",
  `2, 'a "quoted", word', -12.50, DATE '2025-03-01', NULL, FALSE, NULL, 'NaN'::DOUBLE`,
  `3, '', NULL, DATE '2025-03-02', NULL, NULL, -9007199254740993, NULL`,
  `4, NULL, 7.00, DATE '2025-03-02', NULL, NULL, 5, 1e300`,
  `5, E'two\\nlines', 7.00, DATE '2025-03-02', NULL, NULL, 5, 2`,
];
const MART = COLUMNS.map((row) => `SELECT ${row}`).join(' UNION ALL ');
const ALL = 'SELECT id, word, amount, day, seen_at, ok, big, rate FROM gold.fct_all ORDER BY id';

async function withLake(
  work: (lake: EnrichedLake, folder: string, session: DuckDbSession) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    await using session = await DuckDbSession.open({ threads: 1 });
    const lake = new EnrichedLake(session, folder);
    await lake.publishTables('gold', { fct_all: MART }, () => 'day');
    await work(lake, folder, session);
  });
}

let files = 0;

function ask(
  lake: EnrichedLake,
  folder: string,
  words: Partial<QueryRequest>,
): Promise<{ path: string } & Awaited<ReturnType<typeof queryGold>>> {
  files += 1;
  const path = join(folder, `answer-${files}.${words.format ?? 'json'}`);
  const request: QueryRequest = {
    publications: lake.publications,
    lake: lake.files,
    sql: ALL,
    maxRows: 100,
    maxSeconds: 60,
    format: 'json',
    path,
    maxBytes: null,
    beyondMaxRows: 'cut',
    duckdb: { threads: 1, memoryLimit: '200MB', tempDir: join(folder, 'spill') },
    ...words,
  };
  return queryGold(request).then((answer) => ({ path, ...answer }));
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown);
    return `${code}: ${message}`;
  }
  return 'it was answered';
}

describe('an answer', () => {
  test('in JSON has decimals and wide whole numbers as text', async () => {
    await withLake(async (lake, folder) => {
      const { path, written } = await ask(lake, folder, {});
      const text = await readFile(path, 'utf8');
      assert.equal(written?.sizeBytes, Buffer.byteLength(text));
      const { columns, rows, truncated } = JSON.parse(text) as {
        columns: { type: string }[];
        rows: unknown[];
        truncated: boolean;
      };
      assert.deepEqual(
        columns.map(({ type }) => type),
        ['int64', 'string', 'decimal(18,2)', 'date', 'timestamp', 'bool', 'int64', 'float64'],
      );
      assert.deepEqual(rows, [
        [1, 'plain', '0.10', '2025-03-01', '2025-03-01 06:00:00+00', true, '9007199254740993', 1.5],
        [2, 'a "quoted", word', '-12.50', '2025-03-01', null, false, null, 'NaN'],
        [3, '', null, '2025-03-02', null, null, '-9007199254740993', null],
        [4, null, '7.00', '2025-03-02', null, null, 5, 1e300],
        [5, 'two\nlines', '7.00', '2025-03-02', null, null, 5, 2],
      ]);
      assert.equal(truncated, false);
    });
  });

  test('in CSV is RFC 4180: CRLF, a header, quotes where needed, nothing for NULL, "" for an empty text', async () => {
    await withLake(async (lake, folder) => {
      const { path } = await ask(lake, folder, { format: 'csv' });
      assert.equal(
        await readFile(path, 'utf8'),
        [
          'id,word,amount,day,seen_at,ok,big,rate',
          '1,plain,0.10,2025-03-01,2025-03-01 06:00:00+00,true,9007199254740993,1.5',
          '2,"a ""quoted"", word",-12.50,2025-03-01,,false,,NaN',
          '3,"",,2025-03-02,,,-9007199254740993,',
          '4,,7.00,2025-03-02,,,5,1e+300',
          '5,"two\nlines",7.00,2025-03-02,,,5,2',
          '',
        ].join('\r\n'),
      );
    });
  });

  test('in Parquet has the types of the columns, sums of whole numbers included', async () => {
    await withLake(async (lake, folder, session) => {
      const { path, written } = await ask(lake, folder, { format: 'parquet' });
      const read = `SELECT * FROM read_parquet(${literal(path)})`;
      assert.deepEqual(
        (await session.describe(read)).map(({ type }) => type),
        ['BIGINT', 'VARCHAR', 'DECIMAL(18,2)', 'DATE', 'TIMESTAMP WITH TIME ZONE', 'BOOLEAN', 'BIGINT', 'DOUBLE'],
      );
      assert.equal(
        (await session.one(`SELECT string_agg(coalesce(word, '∅'), '|' ORDER BY id) AS words FROM (${read})`)).words,
        'plain|a "quoted", word||∅|two\nlines',
      );
      assert.equal(written?.rows, 5);
      const sums = await ask(lake, folder, {
        format: 'parquet',
        sql: 'SELECT SUM(id) AS ids, SUM(amount) AS amount, COUNT(*) AS n, MAX(NULL) AS nothing, ARRAY_AGG(id ORDER BY id) AS list FROM fct_all',
      });
      assert.deepEqual(
        (await session.describe(`SELECT * FROM read_parquet(${literal(sums.path)})`)).map(({ name, type }) => [
          name,
          type,
        ]),
        [
          ['ids', 'BIGINT'],
          ['amount', 'DECIMAL(31,2)'],
          ['n', 'BIGINT'],
          // NULL alone is INT64 in GoogleSQL.
          ['nothing', 'BIGINT'],
          ['list', 'BIGINT[]'],
        ],
      );
    });
  });

  test('keeps its order over many pages, in every format', async () => {
    await withLake(async (lake, folder, session) => {
      const sql = 'SELECT n FROM UNNEST(GENERATE_ARRAY(1, 10000)) AS n ORDER BY MOD(n * 7919, 10007)';
      const expected = Array.from({ length: 10_000 }, (_, index) => index + 1).sort(
        (a, b) => ((a * 7919) % 10_007) - ((b * 7919) % 10_007),
      );
      const words = {
        sql,
        maxRows: 20_000,
        duckdb: { threads: 2, memoryLimit: '200MB', tempDir: join(folder, 'spill') },
      };
      const json = JSON.parse(await readFile((await ask(lake, folder, words)).path, 'utf8')) as { rows: number[][] };
      assert.deepEqual(json.rows.flat(), expected);
      const csv = (await readFile((await ask(lake, folder, { ...words, format: 'csv' })).path, 'utf8'))
        .trimEnd()
        .split('\r\n');
      assert.deepEqual(csv.slice(1).map(Number), expected);
      const { path } = await ask(lake, folder, { ...words, format: 'parquet' });
      const rows = await session.rows(
        `SELECT n FROM read_parquet(${literal(path)}, file_row_number = true) ORDER BY file_row_number`,
      );
      assert.deepEqual(
        rows.map(({ n }) => n),
        expected,
      );
    });
  });

  test('without rows still names its columns', async () => {
    await withLake(async (lake, folder, session) => {
      const sql = 'SELECT id, word FROM fct_all WHERE id > 99';
      const json = JSON.parse(await readFile((await ask(lake, folder, { sql })).path, 'utf8')) as JsonObject;
      assert.deepEqual([json.rows, (json.columns as unknown[]).length], [[], 2]);
      assert.equal(await readFile((await ask(lake, folder, { sql, format: 'csv' })).path, 'utf8'), 'id,word\r\n');
      const { path } = await ask(lake, folder, { sql, format: 'parquet' });
      assert.equal((await session.one(`SELECT count(*) AS n FROM read_parquet(${literal(path)})`)).n, 0);
    });
  });
});

describe('a cap', () => {
  test('on rows cuts and says so, or refuses where that was asked', async () => {
    await withLake(async (lake, folder) => {
      const cut = await ask(lake, folder, { maxRows: 2, format: 'csv' });
      assert.deepEqual([cut.written?.rows, cut.written?.truncated], [2, true]);
      assert.equal((await readFile(cut.path, 'utf8')).split('\r\n').length, 4);
      const whole = await ask(lake, folder, { maxRows: 5 });
      assert.deepEqual([whole.written?.rows, whole.written?.truncated], [5, false]);
      assert.match(
        await refusal(ask(lake, folder, { maxRows: 4, beyondMaxRows: 'refuse', format: 'parquet' })),
        /^query_too_large: The answer has more than 4 rows\. .*max_rows/,
      );
    });
  });

  for (const format of ['json', 'csv', 'parquet'] as const) {
    test(`on size refuses larger ${format}`, async () => {
      await withLake(async (lake, folder) => {
        // Words that do not compress to nothing.
        const sql = 'SELECT n, n * 7919 AS m FROM UNNEST(GENERATE_ARRAY(1, 50000)) AS n';
        assert.match(
          await refusal(ask(lake, folder, { sql, format, maxRows: 100_000, maxBytes: 20_000 })),
          /^query_too_large: The answer is larger than 20000 bytes \(query\.max_size\)\. Ask for fewer/,
        );
      });
    });
  }

  test('on time ends a join that explodes', async () => {
    await withLake(async (lake, folder) => {
      const n = 'UNNEST(GENERATE_ARRAY(1, 100000))';
      const sql = `SELECT COUNT(*) AS n FROM ${n} AS a, ${n} AS b, ${n} AS c WHERE MOD(a * b + c, 7) = 3`;
      assert.match(
        await refusal(ask(lake, folder, { sql, maxSeconds: 0.5 })),
        /^task_timeout: The query took longer than 0\.5 s .*query\.max_seconds/,
      );
    });
  });

  test('on memory ends a sort that explodes, and says what to do', async () => {
    await withLake(async (lake, folder) => {
      const sql =
        "SELECT CONCAT(CAST(a AS STRING), '-', CAST(b AS STRING), '-', RPAD('x', 200, 'x')) AS t FROM UNNEST(GENERATE_ARRAY(1, 3000)) AS a, UNNEST(GENERATE_ARRAY(1, 3000)) AS b ORDER BY MOD(a * b, 1009)";
      // No folder to spill to: what does not fit, fails.
      const said = await refusal(
        ask(lake, folder, { sql, maxRows: 9_000_000, duckdb: { threads: 1, memoryLimit: '100MB' } }),
      );
      assert.match(said, /^query_too_large: The query needs more memory .*engine\.duckdb\.memory_limit/);
    });
  });
});

describe('an older version', () => {
  const count = 'SELECT COUNT(*) AS n, MIN(day) AS first FROM fct_all';
  const countOf = async (lake: EnrichedLake, folder: string, pinned?: QueryRequest['pinned']): Promise<unknown> => {
    const { path } = await ask(lake, folder, { sql: count, ...(pinned ? { pinned } : {}) });
    const { rows, publication } = JSON.parse(await readFile(path, 'utf8')) as {
      rows: unknown[][];
      publication: JsonObject;
    };
    return [rows[0]?.[0], publication.sequence];
  };

  test('that is kept is read from its own files, and named', async () => {
    await withLake(async (lake, folder) => {
      await lake.publishTables('gold', { fct_all: `SELECT * FROM (${MART}) WHERE id = 1` }, () => 'day');
      assert.deepEqual(await countOf(lake, folder), [1, 2]);
      assert.deepEqual(await countOf(lake, folder, { gold: 1 }), [5, 1]);
      assert.deepEqual(await countOf(lake, folder, { gold: 2 }), [1, 2]);
    });
  });

  test('that never was, is not for readers, or is kept no more is refused, not replaced by another', async () => {
    await withLake(async (lake, folder) => {
      await lake.publishTables('gold', { fct_all: `SELECT * FROM (${MART}) WHERE id = 1` }, () => 'day');
      assert.match(
        await refusal(ask(lake, folder, { pinned: { gold: 3 } })),
        /^publication_not_found: There is no publication 3 of gold: the newest is 2/,
      );
      assert.match(
        await refusal(ask(lake, folder, { pinned: { silver: 1 } })),
        /^publication_not_found: .*nothing of it is published yet/,
      );
      const without = (gone: number): PublicationReader => ({
        current: (layer) => lake.publications.current(layer),
        at: async (layer, sequence) => {
          if (sequence === gone)
            throw new PipelineError('publication_not_found', `${layer} ${sequence} is kept no more`);
          return lake.publications.at(layer, sequence);
        },
      });
      assert.match(
        await refusal(ask(lake, folder, { publications: without(1), pinned: { gold: 1 } })),
        /^publication_not_found: gold 1 is kept no more/,
      );
      const emptied = { localPaths: async () => Promise.reject(new PipelineError('object_not_found', 'gone')) };
      assert.match(
        await refusal(ask(lake, folder, { lake: emptied, pinned: { gold: 1 } })),
        /^publication_not_found: Publication 1 of gold is no longer kept whole: files of fct_all are gone/,
      );
      assert.match(await refusal(ask(lake, folder, { lake: emptied })), /^object_not_found/);
    });
  });
});

describe('an answer says where it comes from', () => {
  /** Readers of a chain of publications whose tables remember what they were built from, as marts and enriched tables do. */
  async function chain(
    lake: EnrichedLake,
    verdicts: { readonly [layer in PublishedLayer]?: Verdict | null },
  ): Promise<PublicationReader> {
    const states: { readonly [layer in PublishedLayer]?: JsonObject } = {
      gold: { contents: {}, versions: { enriched: 4 } },
      enriched: { silver: 9, dims: 3, as_of: '2025-03-02' },
    };
    const gold = (await lake.publications.current('gold')) ?? assert.fail();
    const at = (layer: PublishedLayer, sequence: number) => ({
      ...gold,
      layer,
      sequence,
      verdict: verdicts[layer] ?? null,
      tables: { fct_all: { ...(gold.tables.fct_all ?? assert.fail()), state: states[layer] ?? {} } },
    });
    return {
      current: async (layer) => (layer === 'gold' ? at('gold', gold.sequence) : null),
      at: async (layer, sequence) => {
        if (layer in verdicts) return at(layer, sequence);
        throw new PipelineError('publication_not_found', 'collected');
      },
    };
  }

  test('and what that was built from, down to silver, with the worst verdict of all', async () => {
    await withLake(async (lake, folder) => {
      const publications = await chain(lake, { gold: 'PASS', enriched: 'PASS', silver: 'WARN', dims: null });
      const { path, ...answer } = await ask(lake, folder, { publications });
      const shown = (sources: typeof answer.inputs) =>
        sources.map(({ layer, sequence, verdict }) => [layer, sequence, verdict]);
      assert.deepEqual(shown(answer.publications), [['gold', 1, 'PASS']]);
      assert.deepEqual(shown(answer.inputs), [
        ['enriched', 4, 'PASS'],
        ['dims', 3, null],
        ['silver', 9, 'WARN'],
      ]);
      assert.equal(answer.verdict, 'WARN');
      const said = JSON.parse(await readFile(path, 'utf8')) as JsonObject;
      assert.deepEqual([said.verdict, (said.inputs as unknown[]).length], ['WARN', 3]);
    });
  });

  test('where an input is kept no more, its number is all that is known', async () => {
    await withLake(async (lake, folder) => {
      const publications = await chain(lake, { gold: 'FAIL' });
      const { inputs, verdict } = await ask(lake, folder, { publications });
      assert.deepEqual(inputs, [{ layer: 'enriched', sequence: 4, publishedAt: null, verdict: null }]);
      assert.equal(verdict, 'FAIL');
    });
  });

  test('its tag is that of query, format and versions, and who knows it is given nothing', async () => {
    await withLake(async (lake, folder) => {
      const first = await ask(lake, folder, {});
      assert.equal((await ask(lake, folder, {})).tag, first.tag);
      const others = [
        await ask(lake, folder, { format: 'csv' }),
        await ask(lake, folder, { sql: `${ALL} DESC` }),
        await ask(lake, folder, { maxRows: 3 }),
      ];
      assert.equal(new Set([first, ...others].map(({ tag }) => tag)).size, 4);
      const known = await ask(lake, folder, { knownTags: ['other', first.tag] });
      assert.equal(known.written, null);
      assert.equal(existsSync(known.path), false);
      await lake.publishTables('gold', { fct_all: `SELECT * FROM (${MART}) WHERE id = 1` }, () => 'day');
      const after = await ask(lake, folder, { knownTags: [first.tag] });
      assert.equal(after.written?.rows, 1);
      assert.notEqual(after.tag, first.tag);
    });
  });
});

describe('nothing but the named tables can be reached', () => {
  const ATTACKS: readonly string[] = [
    "SELECT * FROM gold.fct_all, read_csv('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd')) FROM fct_all",
    "SELECT * FROM fct_all WHERE word IN (SELECT * FROM glob('/*'))",
    'SELECT * FROM duckdb_secrets()',
    'SELECT * FROM pragma_database_list',
    'PRAGMA database_list',
    'SET memory_limit = "100GB"',
    "SELECT current_setting('temp_directory')",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    'LOAD httpfs',
    "SELECT * FROM 'https://example.com/x.parquet'",
    'SELECT 1 /* ; */ ; SELECT 2',
    'SELECT 1; -- two',
    'WITH x AS (DELETE FROM fct_all) SELECT 1',
    'CREATE TABLE t AS SELECT 1',
    'EXPLAIN SELECT 1',
    'CALL pragma_version()',
    'SELECT * FROM temp.answer',
    'SELECT * FROM answer',
    'SELECT * FROM main.sqlite_master',
    'SELECT 1 FROM fct_all) AS q(c0) LIMIT 1; SELECT * FROM (SELECT 1',
    '',
    '-- nothing',
  ];
  for (const sql of ATTACKS) {
    test(`not by ${sql === '' ? 'an empty text' : sql}`, async () => {
      await withLake(async (lake, folder) => {
        for (const format of ['json', 'parquet'] as const)
          assert.match(await refusal(ask(lake, folder, { sql, format })), /^(sql_not_portable|sql_invalid): SQL line/);
      });
    });
  }

  test('the session writes the one file that it may, and no other', async () => {
    await withTempFolder(async (folder) => {
      const writablePath = join(folder, 'answer.parquet');
      await using session = await openLockedSession({ writablePath, tempDir: join(folder, 'spill') }, []);
      await session.run(`COPY (SELECT 1 AS a) TO ${literal(writablePath)} (FORMAT parquet)`);
      for (const sql of [
        `COPY (SELECT 1) TO ${literal(join(folder, 'other.parquet'))} (FORMAT parquet)`,
        `EXPORT DATABASE ${literal(join(folder, 'all'))}`,
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SET temp_directory = '/tmp'",
        "SET max_temp_directory_size = '1TB'",
        'RESET memory_limit',
        'LOAD httpfs',
      ]) {
        await assert.rejects(session.rows(sql), /Permission|disabled|locked|not allowed|Cannot change/i, sql);
      }
    });
  });

  test('what spills is bounded', async () => {
    await withTempFolder(async (folder) => {
      const options = { memoryLimit: '100MB', threads: 1, tempDir: join(folder, 'spill'), spillLimitBytes: 20_000_000 };
      await using session = await openLockedSession(options, []);
      const sql = 'CREATE TEMP TABLE big AS SELECT md5(range::VARCHAR) AS m FROM range(20000000) ORDER BY m';
      await assert.rejects(session.run(sql), (thrown) => asPipelineError(thrown).code === 'out_of_memory');
    });
  });
});
