/** An analyst's GoogleSQL and the published Parquet -> rows, from a session that can read nothing else. */
import { setTimeout as startTimer } from 'node:timers';
import { PipelineError } from '../core/errors.ts';
import { tableReferences } from '../core/google-sql.ts';
import type { LakeFiles, PublicationReader } from '../core/ports.ts';
import type { Publication, PublishedLayer, PublishedTable, Verdict } from '../core/types.ts';
import { toDuckDbQuery } from '../engine/dialect.ts';
import type { Cell, DuckDbOptions, DuckDbSession } from '../engine/duckdb-session.ts';
import { columnTypeOf } from '../engine/duckdb-types.ts';
import { identifier } from '../engine/sql-text.ts';
import { openLockedSession, type ReadableFiles } from './locked-session.ts';

export interface QueryRequest {
  readonly publications: PublicationReader;
  readonly lake: LakeFiles;
  /** One SELECT in GoogleSQL over `gold.…`, `enriched.…`, `dims.…`, `silver.…`; a bare name is looked for in that order. */
  readonly sql: string;
  readonly maxRows: number;
  readonly maxSeconds: number;
  readonly duckdb?: Pick<DuckDbOptions, 'memoryLimit' | 'threads' | 'tempDir'>;
  readonly signal?: AbortSignal;
}

export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** In the order of the columns. */
  readonly rows: readonly (readonly Cell[])[];
  /** True where more rows were found than asked for. */
  readonly truncated: boolean;
  /** Where the answer comes from: one version of each layer that was read. */
  readonly publication: readonly {
    readonly layer: PublishedLayer;
    readonly sequence: number;
    readonly publishedAt: string;
    readonly verdict: Verdict | null;
  }[];
}

const LAYERS: readonly PublishedLayer[] = ['gold', 'enriched', 'dims', 'silver'];

interface ReadableTable {
  readonly layer: PublishedLayer;
  readonly name: string;
  readonly table: PublishedTable;
}

/**
 * Reads one version of each layer, resolved once, whatever is published meanwhile; the warehouse file is not touched.
 * Only the tables that the query names are opened, and then every other file, network and setting is shut off.
 *
 * @throws PipelineError `sql_invalid`, `sql_not_portable` with line and column; `publication_not_found` before the first
 *   publication; `task_timeout` after `maxSeconds`; `data_unreadable`, `out_of_memory`
 */
export async function queryGold(request: QueryRequest): Promise<QueryAnswer> {
  const published = await readPublications(request.publications);
  const sql = request.sql.replace(/;\s*$/, '');
  const find = (layer: string | null, name: string) => findTable(published, layer, name);
  const query = toDuckDbQuery(sql, {
    parameters: {},
    table: (layer, name) => {
      const found = find(layer, name);
      return found && `${identifier(found.layer)}.${identifier(found.name)}`;
    },
    columns: (layer, name) => find(layer, name)?.table.columns ?? null,
    knownTables: published.flatMap(({ layer, tables }) => Object.keys(tables).map((name) => `${layer}.${name}`)),
  });
  const read = tableReferences(sql).flatMap(({ layer, table }) => find(layer, table) ?? []);
  return withDeadline(request, async (signal) => {
    await using session = await openLockedSession({ ...request.duckdb, signal }, await filesOf(request.lake, read));
    const columns = await describe(session, query);
    const rows = await session.rows(`SELECT * FROM (${query}) LIMIT ${request.maxRows + 1}`);
    return {
      columns,
      rows: rows.slice(0, request.maxRows).map((row) => columns.map(({ name }) => row[name] ?? null)),
      truncated: rows.length > request.maxRows,
      publication: published
        .filter(({ layer }) => read.some((table) => table.layer === layer))
        .map(({ layer, sequence, publishedAt, verdict }) => ({ layer, sequence, publishedAt, verdict })),
    };
  });
}

async function readPublications(publications: PublicationReader): Promise<readonly Publication[]> {
  const current = await Promise.all(LAYERS.map((layer) => publications.current(layer)));
  const published = current.filter((publication) => publication !== null);
  if (published.length > 0) return published;
  throw new PipelineError(
    'publication_not_found',
    'Nothing is published yet, so there is nothing to query. Run the pipeline first.',
  );
}

/** The table of that layer, or the first of that name from gold down to silver. */
function findTable(published: readonly Publication[], layer: string | null, name: string): ReadableTable | null {
  for (const publication of published) {
    const table = Object.hasOwn(publication.tables, name) ? publication.tables[name] : undefined;
    if (table && (layer === null || layer === publication.layer)) return { layer: publication.layer, name, table };
  }
  return null;
}

async function filesOf(lake: LakeFiles, tables: readonly ReadableTable[]): Promise<readonly ReadableFiles[]> {
  const found: ReadableFiles[] = [];
  for (const { layer, name, table } of tables) {
    const files = Object.values(table.partitions).flatMap((partition) => partition.files);
    found.push({ schema: layer, name, columns: table.columns, localPaths: await lake.localPaths(files) });
  }
  return found;
}

async function describe(session: DuckDbSession, query: string): Promise<QueryAnswer['columns']> {
  try {
    const columns = await session.describe(query);
    return columns.map(({ name, type }) => ({ name, type: columnTypeOf(type) ?? type.toLowerCase() }));
  } catch (thrown) {
    throw asQueryFault(thrown);
  }
}

/** What a query makes fail is the analyst's to read. */
function asQueryFault(thrown: unknown): unknown {
  if (thrown instanceof PipelineError) return thrown;
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
        `The query took longer than ${request.maxSeconds} s and was stopped. Narrow it, or allow it more time.`,
        {
          cause: thrown,
        },
      );
    }
    throw asQueryFault(thrown);
  } finally {
    clearTimeout(timer);
  }
}
