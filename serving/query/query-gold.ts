/** An analyst's GoogleSQL and the published Parquet -> a file of its rows, from a session that can read nothing else. */
import { setTimeout as startTimer } from 'node:timers';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { tableReferences } from '../../core/google-sql.ts';
import type { LakeFiles, PublicationReader } from '../../core/ports.ts';
import type { JsonObject, Publication, PublishedLayer, PublishedTable } from '../../core/types.ts';
import { toDuckDbQuery } from '../../engine/dialect.ts';
import type { DuckDbOptions, DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier } from '../../engine/sql-text.ts';
import { type AnswerColumn, type AnswerFormat, answerColumns, holdAnswer, writeAnswer } from './answer-file.ts';
import { type AnswerSource, type Provenance, provenanceOf, type SourceMemory } from './answer-provenance.ts';
import { type LockedOptions, openLockedSession, type ReadableFiles } from './locked-session.ts';

export interface QueryRequest {
  readonly publications: PublicationReader;
  readonly lake: LakeFiles;
  /** One SELECT in GoogleSQL over `gold.…`, `enriched.…`, `dims.…`, `silver.…`; a bare name is looked for in that order. */
  readonly sql: string;
  /** What `@name` stands for in it. */
  readonly parameters?: { readonly [name: string]: string | number };
  /** Versions to read instead of the current ones. */
  readonly pinned?: PinnedVersions;
  readonly format: AnswerFormat;
  /** A file that is not there yet. */
  readonly path: string;
  readonly maxRows: number;
  /** What becomes of rows beyond `maxRows`: they are left out, or the whole answer is refused. */
  readonly beyondMaxRows: 'cut' | 'refuse';
  /** Null: however large. */
  readonly maxBytes: number | null;
  readonly maxSeconds: number;
  /** Of CSV; CRLF where left out, as RFC 4180 has it. */
  readonly lineEnd?: '\n';
  /** Answers with these tags are known to the caller: nothing is then run. */
  readonly knownTags?: readonly string[];
  readonly duckdb?: Pick<DuckDbOptions, 'memoryLimit' | 'threads' | 'tempDir'>;
  readonly signal?: AbortSignal;
  /** Kept by the caller over queries of one lake. */
  readonly memory?: SourceMemory;
}

export type PinnedVersions = { readonly [layer in PublishedLayer]?: number };

export interface QueryAnswer extends Provenance {
  /** Equal for equal queries of equal publications; changes with every other. */
  readonly tag: string;
  /** Null: the caller has it already. */
  readonly written: {
    readonly columns: readonly AnswerColumn[];
    readonly rows: number;
    /** True where more rows were found than asked for. */
    readonly truncated: boolean;
    readonly sizeBytes: number;
  } | null;
}

const LAYERS: readonly PublishedLayer[] = ['gold', 'enriched', 'dims', 'silver'];

interface ReadableTable {
  readonly publication: Publication;
  readonly name: string;
  readonly table: PublishedTable;
}

/** A query whose names are resolved, to one version of each layer. */
interface Plan {
  /** DuckDB's SQL over the views of the tables. */
  readonly query: string;
  readonly tables: readonly ReadableTable[];
}

/**
 * Reads one version of each layer, resolved once, whatever is published meanwhile; the warehouse is not touched. Only the tables
 * that the query names are opened, and then every other file, network and setting is shut off. Memory is bounded.
 *
 * @throws PipelineError `sql_invalid`, `sql_not_portable` with line and column; `publication_not_found` before the first
 *   publication, and for a version that is not kept; `task_timeout` after `maxSeconds`; `query_too_large` where memory does
 *   not suffice, beyond `maxBytes`, and beyond `maxRows` where these are not cut; `data_unreadable`
 */
export async function queryGold(request: QueryRequest): Promise<QueryAnswer> {
  const plan = await planQuery(request);
  const tag = tagOf(plan, request);
  const provenance = await provenanceOf(request.publications, plan.tables, request.memory);
  if (request.knownTags?.includes(tag)) return { ...provenance, tag, written: null };
  const tooLarge = new AbortController();
  return withDeadline(request, async (deadline) => {
    const signal = AbortSignal.any([deadline, tooLarge.signal]);
    await using session = await openSession(request, plan, { signal, writablePath: request.path });
    const columns = await session.describe(plan.query);
    const found = await holdAnswer(session, plan.query, columns, request.maxRows + 1);
    const truncated = found > request.maxRows;
    if (truncated && request.beyondMaxRows === 'refuse') throw tooManyRows(request.maxRows);
    const rows = Math.min(found, request.maxRows);
    const sizeBytes = await writeAnswer(
      { session, columns, rows },
      {
        format: request.format,
        path: request.path,
        maxBytes: request.maxBytes,
        words: wordsOf(provenance, truncated),
        lineEnd: request.lineEnd ?? '\r\n',
        stop: () => tooLarge.abort(),
      },
    );
    return { ...provenance, tag, written: { columns: answerColumns(columns), rows, truncated, sizeBytes } };
  });
}

async function planQuery(request: QueryRequest): Promise<Plan> {
  const published = await readPublications(request.publications, request.pinned ?? {});
  const sql = request.sql.replace(/;\s*$/, '');
  const find = (layer: string | null, name: string) => findTable(published, layer, name);
  const query = translated(sql, {
    parameters: request.parameters ?? {},
    table: (layer, name) => {
      const found = find(layer, name);
      return found && `${identifier(found.publication.layer)}.${identifier(found.name)}`;
    },
    columns: (layer, name) => find(layer, name)?.table.columns ?? null,
    knownTables: published.flatMap(({ layer, tables }) => Object.keys(tables).map((name) => `${layer}.${name}`)),
  });
  return { query, tables: tableReferences(sql).flatMap(({ layer, table }) => find(layer, table) ?? []) };
}

/** What is doubled at each level of nesting outgrows the longest text there can be. */
function translated(...query: Parameters<typeof toDuckDbQuery>): ReturnType<typeof toDuckDbQuery> {
  try {
    return toDuckDbQuery(...query);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    const advice = 'Name parts of it in WITH, so that they stand there once.';
    throw new PipelineError('query_too_large', `The query is nested too deeply to be translated. ${advice}`, {
      cause: thrown,
    });
  }
}

async function readPublications(
  publications: PublicationReader,
  pinned: PinnedVersions,
): Promise<readonly Publication[]> {
  const read = await Promise.all(
    LAYERS.map(async (layer) => {
      const current = await publications.current(layer);
      const sequence = pinned[layer];
      return sequence === undefined || sequence === current?.sequence
        ? current
        : older(publications, layer, sequence, current);
    }),
  );
  const published = read.filter((publication) => publication !== null);
  if (published.length > 0) return published;
  throw new PipelineError(
    'publication_not_found',
    'Nothing is published yet, so there is nothing to query. Run the pipeline first.',
  );
}

/** What is numbered above the current version is not for readers, be it there or not. */
async function older(
  publications: PublicationReader,
  layer: PublishedLayer,
  sequence: number,
  current: Publication | null,
): Promise<Publication> {
  if (current && sequence < current.sequence) return publications.at(layer, sequence);
  throw new PipelineError(
    'publication_not_found',
    current
      ? `There is no publication ${sequence} of ${layer}: the newest is ${current.sequence}. assay versions ${layer} lists those that are kept.`
      : `There is no publication ${sequence} of ${layer}: nothing of it is published yet.`,
    { context: { layer, sequence } },
  );
}

/** The table of that layer, or the first of that name from gold down to silver. */
function findTable(published: readonly Publication[], layer: string | null, name: string): ReadableTable | null {
  for (const publication of published) {
    const table = Object.hasOwn(publication.tables, name) ? publication.tables[name] : undefined;
    if (table && (layer === null || layer === publication.layer)) return { publication, name, table };
  }
  return null;
}

/** The query as the engine gets it stands for text, parameters and this program's way to read them. */
function tagOf({ query, tables }: Plan, { format, maxRows }: QueryRequest): string {
  const versions = tables.map(({ publication }) => [
    publication.pipeline,
    publication.layer,
    publication.sequence,
    publication.publishedAt,
  ]);
  return fingerprint({ query, versions, format, maxRows });
}

async function openSession(
  request: QueryRequest,
  plan: Plan,
  options: Pick<LockedOptions, 'signal' | 'writablePath'>,
): Promise<DuckDbSession> {
  return openLockedSession({ ...request.duckdb, ...options }, await filesOf(request, plan.tables));
}

async function filesOf(request: QueryRequest, tables: readonly ReadableTable[]): Promise<readonly ReadableFiles[]> {
  const found: ReadableFiles[] = [];
  for (const { publication, name, table } of tables) {
    const { layer, sequence } = publication;
    const files = Object.values(table.partitions).flatMap((partition) => partition.files);
    const localPaths = await request.lake.localPaths(files).catch((thrown: unknown) => {
      if (request.pinned?.[layer] === undefined || !isMissing(thrown)) throw thrown;
      throw new PipelineError(
        'publication_not_found',
        `Publication ${sequence} of ${layer} is no longer kept whole: files of ${name} are gone. assay versions ${layer} lists newer ones.`,
        { context: { layer, sequence }, cause: thrown },
      );
    });
    found.push({ schema: layer, name, columns: table.columns, localPaths });
  }
  return found;
}

const isMissing = (thrown: unknown): boolean => thrown instanceof PipelineError && thrown.code === 'object_not_found';

/** What a JSON answer says besides columns and rows. */
function wordsOf({ publications, inputs, verdict }: Provenance, truncated: boolean): JsonObject {
  const words = ({ layer, sequence, publishedAt, verdict: own }: AnswerSource): JsonObject => ({
    layer,
    sequence,
    published_at: publishedAt,
    verdict: own,
  });
  const [first] = publications;
  return {
    truncated,
    publication: first ? words(first) : null,
    publications: publications.map(words),
    inputs: inputs.map(words),
    verdict,
  };
}

function tooManyRows(maxRows: number): PipelineError {
  return new PipelineError(
    'query_too_large',
    `The answer has more than ${maxRows} rows. Narrow it, aggregate, or take the first of them by saying max_rows.`,
  );
}

/** What a query makes fail is the analyst's to read. */
function asQueryFault(thrown: unknown): unknown {
  if (thrown instanceof PipelineError) {
    if (thrown.code !== 'out_of_memory') return thrown;
    return new PipelineError(
      'query_too_large',
      'The query needs more memory than a query is given (engine.duckdb.memory_limit). Join or group less at once, or read fewer days.',
      { cause: thrown },
    );
  }
  const message = thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown);
  return new PipelineError('sql_invalid', `The query failed: ${message}`, { cause: thrown });
}

async function withDeadline<T>(request: QueryRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const timer = startTimer(() => deadline.abort(), request.maxSeconds * 1000);
  const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
  try {
    return await work(signal);
  } catch (thrown) {
    if (deadline.signal.aborted && !request.signal?.aborted) {
      throw new PipelineError(
        'task_timeout',
        `The query took longer than ${request.maxSeconds} s and was stopped. Narrow it, or allow it more time (query.max_seconds).`,
        { cause: thrown },
      );
    }
    throw asQueryFault(thrown);
  } finally {
    clearTimeout(timer);
  }
}
