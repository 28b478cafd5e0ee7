/** A run that has ended and the warehouse as it is -> whether the tables that the run loaded and built are still there, as published. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stateFolder, warehouseFile } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import { PipelineError } from '../core/errors.ts';
import { canonicalJson, fingerprint } from '../core/fingerprint.ts';
import { mapParallel } from '../core/map-parallel.ts';
import { daysOfInterval } from '../core/partition.ts';
import type { RunFacts } from '../core/ports.ts';
import type { Dag, DagRun, PublishedLayer, Task, TaskInstance } from '../core/types.ts';
import type { DagVersion } from '../scheduler/store/run-store.ts';
import { createLogger } from './create-logger.ts';
import type { RunOutcome } from './follow-run.ts';
import { openLake } from './lake.ts';
import type { Project } from './project.ts';
import { warehouseOpener } from './warehouse.ts';

interface ServedTable {
  readonly layer: PublishedLayer;
  readonly name: string;
}

/** A no-op must stay one where the warehouse does not answer. */
const PATIENCE_MS = 5_000;
const TABLES_AT_ONCE = 8;

/**
 * False only where a table, or a published partition of one, is known not to be there. A warehouse that cannot be asked is taken to
 * stand, and a line on stderr says so: what is not known replaces nothing.
 */
export async function warehouseStands(
  project: Project,
  version: DagVersion,
  run: DagRun,
  instances: readonly TaskInstance[],
  tell: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Promise<boolean> {
  const served = servedTables(version.dag, instances);
  const [first] = served;
  if (first === undefined) return true;
  const { settings } = project;
  try {
    if (settings.values['warehouse.kind'] === 'bigquery') return await holds(project, version, run, first.task, served);
    const before = await fileState(settings);
    if (before === null) return false;
    const expected = await expectation(project, version, served);
    if (await wasSeen(settings, before, expected)) return true;
    if (!(await holds(project, version, run, first.task, served))) return false;
    await remember(settings, expected);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof PipelineError)) throw thrown;
    if (thrown.code === 'publication_not_found') return false;
    const why =
      thrown.code === 'task_cancelled' ? `It did not answer within ${PATIENCE_MS / 1_000} s.` : thrown.message;
    tell(
      `Whether the warehouse still has the tables of this run is not known: ${why} They are taken to be there; --force makes sure.`,
    );
    return true;
  }
}

/** Looks at an embedded warehouse after a run that left it whole, so that a rerun need not open it. */
export async function noteWarehouse(
  project: Project,
  version: DagVersion,
  outcome: RunOutcome | undefined,
): Promise<void> {
  if (outcome === undefined || outcome.isNoop || outcome.run.state !== 'success') return;
  if (project.settings.values['warehouse.kind'] !== 'duckdb') return;
  await warehouseStands(project, version, outcome.run, outcome.instances, () => {});
}

/** What its loads and its publication of gold left in the warehouse; not what it held back. */
function servedTables(
  dag: Dag,
  instances: readonly TaskInstance[],
): readonly (ServedTable & { readonly task: Task })[] {
  const outputs = new Map(instances.map(({ taskId, output }) => [taskId, output]));
  const held = new Set(
    [...outputs.values()].flatMap((output) =>
      output?.kind === 'published'
        ? (output.publication.held ?? []).map((name) => `${output.publication.layer}.${name}`)
        : [],
    ),
  );
  return dag.tasks.flatMap((task) => {
    const { layer } = task;
    const output = outputs.get(task.id);
    const isServed = output?.kind === 'loaded' || (output?.kind === 'published' && layer === 'gold');
    if (!isServed || layer === null || layer === 'bronze') return [];
    return task.tables.filter((name) => !held.has(`${layer}.${name}`)).map((name) => ({ layer, name, task }));
  });
}

async function holds(
  project: Project,
  version: DagVersion,
  run: DagRun,
  task: Task,
  served: readonly ServedTable[],
): Promise<boolean> {
  const { spec, dag } = version;
  const { holdsPublished, readVisible } = await import('../transforms/gold/published-tables.ts');
  const lake = await openLake(project.settings, spec.pipeline);
  const visible = await readVisible(lake.publications, served);
  const warehouse = await warehouseOpener(project.settings, spec.pipeline, lake, { lockWaitMs: 0 })({
    run: runFacts(dag, run),
    task,
    log: createLogger('silent'),
    signal: AbortSignal.timeout(PATIENCE_MS),
    tempDir: tmpdir(),
    holdTimeout: () => {},
  });
  try {
    const looks = await mapParallel(visible, TABLES_AT_ONCE, async ({ layer, name, published }) =>
      holdsPublished(await warehouse.loaded(layer, name), published),
    );
    return looks.every((isThere) => isThere);
  } finally {
    await warehouse.close();
  }
}

export function runFacts(dag: Dag, { dagId, runId, interval, conf }: DagRun): RunFacts {
  const { first, last } = daysOfInterval(interval, dag.timezone);
  return { dagId, runId, interval, firstDay: first, runDate: last, conf };
}

// ------------------------------------------------------------------ what was seen of an embedded warehouse's file

/** A look that found everything, as it is kept: nothing has changed where file and expectation are the same. */
interface Seen {
  /** Path, inode, size and time of the file. */
  readonly file: string;
  /** Fingerprints of the expectations that it was seen to meet. */
  readonly expectations: readonly string[];
}

const seenFile = (settings: Settings): string => join(stateFolder(settings), 'warehouse-seen.json');

/** Null where there is no such file. */
async function fileState(settings: Settings): Promise<string | null> {
  const path = warehouseFile(settings);
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [path, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new PipelineError('warehouse_unavailable', `${path} cannot be looked at: ${(thrown as Error).message}.`, {
      cause: thrown,
    });
  }
}

async function expectation(project: Project, version: DagVersion, served: readonly ServedTable[]): Promise<string> {
  const { publications } = await openLake(project.settings, version.spec.pipeline);
  const layers = [...new Set(served.map(({ layer }) => layer))].sort();
  const versions = await Promise.all(
    layers.map(async (layer) => [layer, (await publications.current(layer))?.sequence]),
  );
  return fingerprint([
    version.spec.pipeline,
    canonicalJson(Object.fromEntries(versions)),
    served.map(({ layer, name }) => `${layer}.${name}`).sort(),
  ]);
}

async function wasSeen(settings: Settings, file: string, expected: string): Promise<boolean> {
  const seen = await readSeen(settings);
  return seen?.file === file && seen.expectations.includes(expected);
}

async function readSeen(settings: Settings): Promise<Seen | null> {
  try {
    return JSON.parse(await readFile(seenFile(settings), 'utf8')) as Seen;
  } catch {
    return null;
  }
}

/** What cannot be kept is looked at again next time. */
async function remember(settings: Settings, expected: string): Promise<void> {
  const file = await fileState(settings);
  if (file === null) return;
  const seen = await readSeen(settings);
  const earlier = seen?.file === file ? seen.expectations : [];
  const path = seenFile(settings);
  const partial = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, JSON.stringify({ file, expectations: [...earlier, expected] } satisfies Seen));
    await rename(partial, path);
  } catch {
    // Read-only, or full.
  }
}
