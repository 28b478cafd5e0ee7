/** `assay server`: scheduler, API and page in one process, until it is told to stop. */
import { watch as watchFiles } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { createApp } from '../../api/app.ts';
import type { PipelineIssue } from '../../api/ports.ts';
import { PipelineError } from '../../core/errors.ts';
import type { Logger } from '../../core/ports.ts';
import type { SpecMemory } from '../../dags/compile-spec.ts';
import { publicationsReader, reportReader, runHistory, sourceText } from '../api-readers.ts';
import { poolsOf, startScheduler } from '../app.ts';
import { packageVersion } from '../bundled-files.ts';
import { createLogger } from '../create-logger.ts';
import { findRoot, type GlobalFlags, openProject, type Project } from '../project.ts';
import { QueryPool } from '../query-pool.ts';
import { renderIssues } from '../report-error.ts';
import { httpCaps, removeQueryLeftovers, runQuery } from '../run-query.ts';
import { systemClock } from '../system-clock.ts';

interface ServerOptions {
  readonly host?: string;
  readonly port?: string;
  /** False with `--no-schedules`. */
  readonly schedules: boolean;
}

/** A save of an editor is several events; the last one counts. */
const SETTLE_MS = 150;
const DRAIN_MS = 10_000;
/** Each may take the memory of one DuckDB session. */
const QUERY_SLOTS = 4;

export async function server(flags: GlobalFlags, options: ServerOptions): Promise<void> {
  const overrides = [
    ...(flags.set ?? []),
    ...(options.host === undefined ? [] : [`server.host=${options.host}`]),
    ...(options.port === undefined ? [] : [`server.port=${options.port}`]),
  ];
  const said: GlobalFlags = { ...flags, set: overrides };
  const memory: SpecMemory = new Map();
  let project = await openProject(said, findRoot(said), memory);
  const log = createLogger('info');
  tellFaults(project);
  const running = await startScheduler(project, { schedules: options.schedules, log });
  const { scheduler, store, lock } = running;
  let issuesFoundAtMs = systemClock.now();
  const queries = new QueryPool({ slots: QUERY_SLOTS, keepWarm: 1 });
  const app = createApp({
    control: scheduler,
    reports: reportReader(() => project),
    publications: publicationsReader(() => project),
    specs: {
      source: (file) => sourceText(project, file),
      issues: async () => issuesOf(project, issuesFoundAtMs),
    },
    history: runHistory(store),
    version: packageVersion(),
    clock: systemClock,
    log,
    pools: Object.entries(poolsOf(project.settings)).map(([name, slots]) => ({ name, slots })),
    query: (request, signal) => runQuery(project, queries, request, httpCaps(project.settings), signal),
    marts: () => project.specs.map(({ pipeline, marts }) => ({ pipeline, marts })),
  });
  const { 'server.host': host, 'server.port': port } = project.settings.values;
  const listening = await listen(app.fetch, host, port).catch(async (thrown: unknown) => {
    await running[Symbol.asyncDispose]();
    throw thrown;
  });
  lock.announce(listening.address);
  await removeQueryLeftovers(project.settings);
  queries.warm();
  process.stdout.write(
    `Assay ${packageVersion()} on ${listening.address} — ${project.dags.length} ${project.dags.length === 1 ? 'DAG' : 'DAGs'}, schedules ${options.schedules ? 'on' : 'off'}. Ctrl-C stops it.\n`,
  );

  const stopWatching = watchSpecs(project.root, log, async () => {
    project = keepRunning(project, await openProject(said, project.root, memory));
    issuesFoundAtMs = systemClock.now();
    tellFaults(project);
    await scheduler.replaceDags(project.dags);
    log.info('specs read again', { dags: project.dags.length });
  });
  const failure = await Promise.race([untilSignal(), scheduler.failed]);
  if (failure === null) {
    process.stderr.write('Stopping: running tasks have 10 s to end; the rest goes on at the next start.\n');
  }
  stopWatching();
  await listening.close();
  await queries.close();
  await scheduler.stop({ graceMs: DRAIN_MS });
  await running[Symbol.asyncDispose]();
  if (failure !== null) throw failure;
}

function tellFaults(project: Project): void {
  for (const { folder, issues } of project.issues) {
    const errors = issues.filter((issue) => issue.severity === 'error');
    if (errors.length > 0)
      process.stderr.write(
        `${folder} does not compile; a version of it that ran in this server goes on:\n${renderIssues(errors)}\n`,
      );
  }
}

function issuesOf(project: Project, foundAtMs: number): readonly PipelineIssue[] {
  return project.issues.flatMap(({ folder, issues }) =>
    issues
      .filter((issue) => issue.severity === 'error')
      .map((issue) => ({ pipeline: folder.split('/').at(-1) ?? folder, issue, foundAtMs })),
  );
}

/** The project as it is now, with the last good version of each spec that does not compile any more. */
function keepRunning(before: Project, now: Project): Project {
  const broken = new Set(
    now.issues.filter(({ issues }) => issues.some((issue) => issue.severity === 'error')).map(({ folder }) => folder),
  );
  const specs = before.specs.filter((spec) => broken.has(spec.folder));
  const dags = before.dags.filter(({ spec }) => broken.has(spec.folder));
  return { ...now, specs: [...now.specs, ...specs], dags: [...now.dags, ...dags] };
}

/** A broken edit keeps what runs; the next good one is live within the settling time. */
function watchSpecs(root: string, log: Logger, reload: () => Promise<void>): () => void {
  let timer: NodeJS.Timeout | null = null;
  let reloading: Promise<void> = Promise.resolve();
  const watcher = watchFiles(join(root, 'specs'), { recursive: true }, () => {
    if (timer) clearTimeout(timer);
    timer = setTimeout(() => {
      reloading = reloading
        .then(reload)
        .catch((error: unknown) => log.error('specs could not be read again', { error: String(error) }));
    }, SETTLE_MS);
  });
  watcher.on('error', (error) =>
    log.warn('specs are no longer watched; restart the server after an edit', { error: String(error) }),
  );
  return () => {
    if (timer) clearTimeout(timer);
    watcher.close();
  };
}

interface Listening {
  readonly address: string;
  close(): Promise<void>;
}

function listen(fetch: Parameters<typeof serve>[0]['fetch'], host: string, port: number): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const http = serve({ fetch, hostname: host, port }, (info: AddressInfo) => {
      const name = info.address.includes(':') ? `[${info.address}]` : info.address;
      resolve({
        address: `http://${name}:${info.port}`,
        close: () =>
          new Promise((done) => {
            http.close(() => done());
            if ('closeAllConnections' in http) http.closeAllConnections();
          }),
      });
    });
    http.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'something else listens there' : error.message;
      reject(
        new PipelineError(
          'state_conflict',
          `The server cannot listen on ${host}:${port}: ${why}. Choose another port with --port.`,
          { cause: error },
        ),
      );
    });
  });
}

function untilSignal(): Promise<null> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve(null));
    process.once('SIGTERM', () => resolve(null));
  });
}
