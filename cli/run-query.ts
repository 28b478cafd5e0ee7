/** A question about what is published -> its answer as a stream of bytes, from a child process and within the settings' caps. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { QueryAnswer, QueryRequest } from '../api/ports.ts';
import { stateFolder } from '../config/project-paths.ts';
import { parseSize } from '../config/setting-keys.ts';
import type { Settings } from '../config/settings.ts';
import { PipelineError } from '../core/errors.ts';
import { compileMetricQuery } from '../serving/query/metric-sql.ts';
import { type Project, requirePipeline } from './project.ts';
import type { QueryPool } from './query-pool.ts';

export interface QueryCaps {
  readonly maxSeconds: number;
  /** Null: however many. */
  readonly maxRows: number | null;
  /** Null: however large. */
  readonly maxBytes: number | null;
  /** Of CSV; CRLF where left out, as RFC 4180 has it. */
  readonly lineEnd?: '\n';
}

/** Of a JSON answer, where nobody says. */
export const DEFAULT_ROWS = 1_000;
/** Of a file, where nobody says and nothing caps it. */
const FILE_ROWS = 2_000_000_000;

export function httpCaps({ values }: Settings): QueryCaps {
  return {
    maxSeconds: values['query.max_seconds'],
    maxRows: values['query.max_rows'],
    maxBytes: parseSize(values['query.max_size']),
  };
}

/** @throws PipelineError as `ApiDeps.query` */
export async function runQuery(
  project: Project,
  pool: QueryPool,
  request: QueryRequest,
  caps: QueryCaps,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const { settings } = project;
  const spec = requirePipeline(project, request.pipeline ?? undefined);
  const { ask } = request;
  const question = ask.kind === 'sql' ? { sql: ask.sql, parameters: {} } : compileMetricQuery(spec.marts, ask.query);
  const rows = rowsOf(request, caps);
  const tempDir = join(queriesFolder(settings), `${process.pid}-${randomUUID()}`);
  await mkdir(tempDir, { recursive: true, mode: 0o700 });
  try {
    const path = join(tempDir, `answer.${request.format}`);
    const { written, ...answer } = await pool.run(
      {
        settings,
        pipeline: spec.pipeline,
        ...question,
        pinned: request.publication,
        format: request.format,
        path,
        ...rows,
        maxBytes: caps.maxBytes,
        ...(caps.lineEnd === undefined ? {} : { lineEnd: caps.lineEnd }),
        maxSeconds: caps.maxSeconds,
        knownTags: request.knownTags,
        tempDir,
      },
      signal,
    );
    if (written === null) return { ...answer, content: null };
    const { rows: count, truncated, sizeBytes } = written;
    // The open file outlives its name, so that nothing has to be cleared up after a reader that leaves.
    const file = await open(path);
    const body = Readable.toWeb(file.createReadStream()) as ReadableStream<Uint8Array>;
    return { ...answer, content: { name: nameOf(request, answer), rows: count, truncated, sizeBytes, body } };
  } finally {
    await rm(tempDir, { recursive: true, force: true });
  }
}

/** Answers that a killed process has left behind. */
export async function removeQueryLeftovers(settings: Settings): Promise<void> {
  const folder = queriesFolder(settings);
  for (const name of await readdir(folder).catch((): string[] => [])) {
    if (!isAlive(Number.parseInt(name, 10))) await rm(join(folder, name), { recursive: true, force: true });
  }
}

const queriesFolder = (settings: Settings): string => join(stateFolder(settings), 'queries');

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A JSON answer says itself where it was cut; a file cannot, so it is cut only for those who ask for so many rows. */
function rowsOf(
  { format, maxRows, ask }: QueryRequest,
  caps: QueryCaps,
): { readonly maxRows: number; readonly beyondMaxRows: 'cut' | 'refuse' } {
  const most = caps.maxRows ?? FILE_ROWS;
  if (maxRows !== null) {
    if (maxRows <= most) return { maxRows, beyondMaxRows: 'cut' };
    throw new PipelineError('usage', `max_rows is at most ${most} here (query.max_rows), not ${maxRows}.`);
  }
  if (format !== 'json') return { maxRows: most, beyondMaxRows: 'refuse' };
  const limit = ask.kind === 'metrics' ? ask.query.limit : null;
  return { maxRows: Math.min(most, limit ?? DEFAULT_ROWS), beyondMaxRows: 'cut' };
}

/** `fct_daily_dashboard-gold-12`, `query-gold-12` */
function nameOf({ ask }: QueryRequest, { publications: [first] }: Pick<QueryAnswer, 'publications'>): string {
  const what = ask.kind === 'metrics' ? ask.query.mart.replace(/[^\w]+/g, '_') : 'query';
  return first ? `${what}-${first.layer}-${first.sequence}` : what;
}
