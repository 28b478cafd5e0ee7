/** SQL that is nested deeper than any reader of it could follow -> a fault with its place, never a stack that overflows. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { parseQuery } from '../../core/google-sql/parser.ts';
import { lintQuery } from '../../core/google-sql.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';

const translate = (sql: string): string =>
  toDuckDbQuery(sql, { table: () => null, parameters: {}, columns: () => [], knownTables: [] });

/** Each as deep as it is asked to be. */
const SHAPES: { readonly [name: string]: (levels: number) => string } = {
  brackets: (n) => `SELECT ${'('.repeat(n)}1${')'.repeat(n)} AS n`,
  'NOT after NOT': (n) => `SELECT ${'NOT '.repeat(n)}TRUE AS n`,
  'signs after signs': (n) => `SELECT ${'- '.repeat(n)}1 AS n`,
  'calls in calls': (n) => `SELECT ${'ABS('.repeat(n)}1${')'.repeat(n)} AS n`,
  'cases in cases': (n) => `SELECT ${'IF(TRUE, '.repeat(n)}1${', 0)'.repeat(n)} AS n`,
  'queries in FROM': (n) => `SELECT n FROM ${'(SELECT n FROM '.repeat(n)}(SELECT 1 AS n)${')'.repeat(n)}`,
  'queries in expressions': (n) => `SELECT ${'(SELECT '.repeat(n)}1 AS n${') AS n'.repeat(n)}`,
  'a chain of sums': (n) => `SELECT 1${' + 1'.repeat(n)} AS n`,
  'a chain of OR': (n) => `SELECT TRUE${' OR TRUE'.repeat(n)} AS n`,
  'a chain of joins': (n) => `SELECT 1 AS n FROM (SELECT 1 AS n)${' CROSS JOIN (SELECT 1)'.repeat(n)}`,
};

describe('SQL', () => {
  let session: DuckDbSession;
  before(async () => {
    session = await DuckDbSession.open({ threads: 1 });
  });
  after(() => session.close());

  for (const [name, shape] of Object.entries(SHAPES)) {
    test(`with ${name} without end is refused with its place`, () => {
      for (const read of [parseQuery, translate]) {
        assert.throws(
          () => read(shape(10_000)),
          (thrown) =>
            thrown instanceof SqlFaultError &&
            thrown.code === 'sql_invalid' &&
            /nested too deeply/.test(thrown.message) &&
            thrown.fault.column > 1,
        );
      }
      assert.match(lintQuery(shape(10_000))[0]?.message ?? '', /nested too deeply/);
    });

    test(`with ${name}, ten deep, runs`, async () => {
      assert.equal((await session.rows(translate(shape(10)))).length, 1);
    });
  }

  test('with a chain as long as people write them runs', async () => {
    assert.equal((await session.rows(translate(SHAPES['a chain of OR']?.(900) ?? ''))).length, 1);
  });

  test('with a NUL in a text is refused where it stands', () => {
    assert.throws(() => parseQuery("SELECT 'a\0b' AS n"), /column 10: A NUL character has no place in SQL/);
  });
});
