/** Every statement of the corpus -> the rows that ZetaSQL gave when `test/cloud` last ran it, on DuckDB; or the refusal, with its place. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseQuery } from '../../core/google-sql/parser.ts';
import { differenceOf } from '../fixtures-support/canonical-rows.ts';
import { refusalOf, translateCase } from '../fixtures-support/google-sql-case.ts';
import { readCorpus, readCorpusTables, readRecorded } from '../fixtures-support/google-sql-corpus.ts';
import { DuckDbRows } from '../fixtures-support/google-sql-duckdb.ts';

const corpus = readCorpus();
const tables = readCorpusTables();
const recorded = readRecorded();
const executed = corpus.filter((each) => !each.refused && !each.newer && !each.fails);

let duck: DuckDbRows;
before(async () => {
  duck = await DuckDbRows.open(tables);
});
after(() => duck[Symbol.dispose]());

test('names of the corpus are given once, and every recorded one is in it', () => {
  const names = corpus.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(Object.keys(recorded).sort(), executed.map(({ name }) => name).sort());
});

describe('DuckDB gives the rows that ZetaSQL gave', () => {
  for (const { name, sql } of executed) {
    test(name, async () => {
      const expected = recorded[name];
      assert.ok(expected, 'no rows are recorded: ASSAY_RECORD_ZETASQL=1 npm run test:cloud -- two-engines');
      const rows = await duck.evaluate(translateCase(sql, tables));
      assert.equal(differenceOf(rows, expected, parseQuery(sql).orderBy.length > 0), null);
    });
  }
});

describe('DuckDB gives the rows that were worked out by hand, where the old ZetaSQL build knows no such statement', () => {
  for (const { name, sql, newer } of corpus) {
    if (newer === null) continue;
    test(`${name}: ${newer.reason}`, async () => {
      const rows = await duck.evaluate(translateCase(sql, tables));
      assert.equal(differenceOf(rows, { types: rows.types, rows: newer.rows }, false), null);
    });
  }
});

describe('what fails as it runs on ZetaSQL fails on DuckDB', () => {
  for (const { name, sql, fails } of corpus) {
    if (!fails) continue;
    test(name, async () => {
      const duckSql = translateCase(sql, tables);
      await assert.rejects(duck.evaluate(duckSql), /Error/);
    });
  }
});

describe('what is not portable is refused with its place', () => {
  for (const { name, sql, refused } of corpus) {
    if (refused === null) continue;
    test(`${name}, at ${refused.at}`, () => {
      const refusal = refusalOf(sql, tables) ?? 'nothing was refused';
      assert.equal(refusal.split(' ')[0], refused.at, refusal);
      assert.ok(refusal.includes(refused.message), refusal);
    });
  }
});
