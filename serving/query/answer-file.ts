/** A query's rows, held in a session -> one file as the caller wants it: JSON, CSV or Parquet. Rows pass through in pages. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { setInterval as startTicking } from 'node:timers';
import { PipelineError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/types.ts';
import type { Cell, DuckDbSession } from '../../engine/duckdb-session.ts';
import { columnTypeOf, duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { csvLine } from './answer-csv.ts';
import { jsonCell } from './answer-json.ts';

const ANSWER_FORMATS = ['json', 'csv', 'parquet'] as const;
export type AnswerFormat = (typeof ANSWER_FORMATS)[number];

/** Columns as DuckDB describes them. */
export type DuckDbColumns = readonly { readonly name: string; readonly type: string }[];

export interface AnswerColumn {
  readonly name: string;
  /** A type of a spec; a DuckDB type in lower case where a spec has none, e.g. of an array. */
  readonly type: string;
}

export interface HeldAnswer {
  readonly session: DuckDbSession;
  readonly columns: DuckDbColumns;
  /** Those to be written. */
  readonly rows: number;
}

export interface AnswerTarget {
  readonly format: AnswerFormat;
  readonly path: string;
  /** Null: however large. */
  readonly maxBytes: number | null;
  /** Of a JSON answer: what stands besides columns and rows. */
  readonly words: JsonObject;
  /** Of CSV. */
  readonly lineEnd: '\r\n' | '\n';
  /** Called where the file grows too large while DuckDB writes it. */
  readonly stop: () => void;
}

const PAGE_ROWS = 2_048;
const HELD = 'temp.answer';
const WATCH_MS = 50;

/** Keeps the first `limit` rows of a DuckDB query in the session, in their order, and tells how many there are. */
export async function holdAnswer(
  session: DuckDbSession,
  query: string,
  columns: DuckDbColumns,
  limit: number,
): Promise<number> {
  const names = columns.map((_, index) => `c${index}`).join(', ');
  await session.run(`CREATE TEMP TABLE answer AS SELECT * FROM (${query}) AS q(${names}) LIMIT ${limit}`);
  const { rows } = await session.one(`SELECT count(*) AS rows FROM ${HELD}`);
  return Number(rows);
}

export function answerColumns(columns: DuckDbColumns): readonly AnswerColumn[] {
  return columns.map(({ name, type }) => ({ name, type: columnTypeOf(type) ?? type.toLowerCase() }));
}

/**
 * @returns size of the file in bytes
 * @throws PipelineError `query_too_large`; `storage_full`
 */
export async function writeAnswer(answer: HeldAnswer, target: AnswerTarget): Promise<number> {
  if (target.format === 'parquet') return writeParquet(answer, target);
  const out = new CappedFile(target.path, target.maxBytes);
  try {
    if (target.format === 'csv') await writeCsv(answer, out, target.lineEnd);
    else await writeJson(answer, out, target.words);
  } finally {
    await out.close();
  }
  return out.bytes;
}

async function writeJson(answer: HeldAnswer, out: CappedFile, words: JsonObject): Promise<void> {
  await out.write(`{"columns":${JSON.stringify(answerColumns(answer.columns))},"rows":[`);
  let isFirst = true;
  for await (const page of pagesOf(answer)) {
    const rows = page.map((row) => `\n${JSON.stringify(row.map(jsonCell))}`).join(',');
    await out.write(isFirst ? rows : `,${rows}`);
    isFirst = false;
  }
  await out.write(`],${JSON.stringify(words).slice(1)}\n`);
}

async function writeCsv(answer: HeldAnswer, out: CappedFile, lineEnd: string): Promise<void> {
  const names = answer.columns.map(({ name }) => name);
  await out.write(csvLine(names, lineEnd));
  for await (const page of pagesOf(answer)) await out.write(page.map((row) => csvLine(row, lineEnd)).join(''));
}

async function* pagesOf({ session, rows, columns }: HeldAnswer): AsyncGenerator<readonly (readonly Cell[])[]> {
  for (let from = 0; from < rows; from += PAGE_ROWS) {
    const to = Math.min(rows, from + PAGE_ROWS);
    const page = await session.rows(`SELECT * FROM ${HELD} WHERE rowid >= ${from} AND rowid < ${to} ORDER BY rowid`);
    yield page.map((row) => columns.map((_, index) => row[`c${index}`] ?? null));
  }
}

/** Types as a spec knows them: DuckDB would write its widest integers as floating-point numbers. */
async function writeParquet({ session, columns, rows }: HeldAnswer, target: AnswerTarget): Promise<number> {
  const selected = columns.map(({ name, type }, index) => {
    const known = columnTypeOf(type);
    const value = known === null ? `c${index}` : `CAST(c${index} AS ${duckDbType(known)})`;
    return `${value} AS ${identifier(name)}`;
  });
  let isTooLarge = false;
  const look = async (): Promise<void> => {
    const bytes = await sizeOf(target.path);
    if (target.maxBytes === null || bytes <= target.maxBytes || isTooLarge) return;
    isTooLarge = true;
    target.stop();
  };
  const watch = startTicking(() => void look(), WATCH_MS);
  try {
    const query = `SELECT ${selected.join(', ')} FROM ${HELD} WHERE rowid < ${rows} ORDER BY rowid`;
    await session.run(`COPY (${query}) TO ${literal(target.path)} (FORMAT parquet)`);
    const bytes = await sizeOf(target.path);
    if (target.maxBytes !== null && bytes > target.maxBytes) throw tooLarge(target.maxBytes);
    return bytes;
  } catch (thrown) {
    throw isTooLarge && target.maxBytes !== null ? tooLarge(target.maxBytes) : thrown;
  } finally {
    clearInterval(watch);
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Waits where the disk is slower than the query, and ends where the answer grows too large. */
class CappedFile {
  readonly #stream: WriteStream;
  readonly #maxBytes: number | null;
  #fault: Error | null = null;
  bytes = 0;

  constructor(path: string, maxBytes: number | null) {
    this.#stream = createWriteStream(path, { mode: 0o600 });
    this.#stream.on('error', (error) => {
      this.#fault = error;
    });
    this.#maxBytes = maxBytes;
  }

  async write(text: string): Promise<void> {
    if (this.#fault) throw this.#fault;
    this.bytes += Buffer.byteLength(text);
    if (this.#maxBytes !== null && this.bytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }

  async close(): Promise<void> {
    this.#stream.end();
    await finished(this.#stream);
  }
}

function tooLarge(maxBytes: number): PipelineError {
  return new PipelineError(
    'query_too_large',
    `The answer is larger than ${maxBytes} bytes (query.max_size). Ask for fewer rows or columns, or for Parquet, which is smaller.`,
  );
}
