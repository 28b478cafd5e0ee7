/** A query of the lake -> its rows, read back from the Parquet file that it is answered with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cell, DuckDbSession } from '../../engine/duckdb-session.ts';
import { literal } from '../../engine/sql-text.ts';
import { type QueryRequest, queryGold } from '../../serving/query/query-gold.ts';

type Question = Pick<QueryRequest, 'publications' | 'lake' | 'sql' | 'parameters' | 'maxRows' | 'maxSeconds'>;

export async function queryRows(question: Question) {
  const folder = await mkdtemp(join(tmpdir(), 'assay-answer-'));
  try {
    const path = join(folder, 'answer.parquet');
    const { written, publications } = await queryGold({
      ...question,
      path,
      format: 'parquet',
      beyondMaxRows: 'cut',
      maxBytes: null,
    });
    if (written === null) throw new Error('no tag was said to be known');
    await using session = await DuckDbSession.open();
    const found = await session.rows(`SELECT * FROM read_parquet(${literal(path)})`);
    const rows: readonly (readonly Cell[])[] = found.map((row) => written.columns.map(({ name }) => row[name] ?? null));
    return { columns: written.columns, rows, truncated: written.truncated, publications };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
