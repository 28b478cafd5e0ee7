/** Runs that ended and the project as it is -> whether running them again could change anything. Reads names, sizes and manifests only. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gateSettings, isSwitchedOn, landingFiles } from '../config/project-paths.ts';
import { PipelineError } from '../core/errors.ts';
import { canonicalJson } from '../core/fingerprint.ts';
import type { DagRun, PinnedInputs, Report, TaskInstance } from '../core/types.ts';
import type { ReadControl } from '../scheduler/run-reader.ts';
import type { DagVersion } from '../scheduler/store/run-store.ts';
import { findRun, type RunOutcome, type WantedRun } from './follow-run.ts';
import { openLake } from './lake.ts';
import { openReader } from './open-reader.ts';
import type { Project } from './project.ts';
import { runFacts, warehouseStands } from './warehouse-stands.ts';

/**
 * The first of the wanted runs, as far as each was done before and nothing has changed since. Takes no lock and starts nothing:
 * where every run is among them, there is nothing to start a scheduler for.
 */
export async function unchangedRuns(
  project: Project,
  version: DagVersion,
  wanted: readonly WantedRun[],
): Promise<readonly RunOutcome[]> {
  const outcomes: RunOutcome[] = [];
  try {
    await using opened = await openReader(project.settings);
    if (opened === null) return [];
    const { reader } = opened;
    for (const { interval, logicalDateMs } of wanted) {
      const run = logicalDateMs === null ? null : await findRun(reader, version.dag.id, logicalDateMs);
      if (run?.state !== 'success' || run.interval.endMs !== interval?.endMs) break;
      if (!(await unchangedSince(project, version, run, reader))) break;
      outcomes.push({ run, instances: await reader.listTaskInstances(run.dagId, run.runId), isNoop: true });
    }
  } catch (thrown) {
    // A scheduler meets the same fault, or mends it: a store of an older schema, a DAG that is new.
    if (!(thrown instanceof PipelineError)) throw thrown;
  }
  return outcomes;
}

/**
 * True only where the DAG's text, its settings, its landing files and every bronze partition that the run pinned are as they were, the
 * layers that it read and published have not moved since, and the warehouse holds what it loaded. Anything else is false; so is
 * anything unknown, but for a warehouse that cannot be asked.
 */
export async function unchangedSince(
  project: Project,
  version: DagVersion,
  run: DagRun,
  reader: Pick<ReadControl, 'listTaskInstances'>,
): Promise<boolean> {
  if (run.dagFingerprint !== version.dag.fingerprint) return false;
  const instances = await reader.listTaskInstances(run.dagId, run.runId);
  if (instances.some(({ state }) => state !== 'success' && state !== 'skipped')) return false;
  return (
    switchesStand(project, version, instances) &&
    (await gatesStand(project, instances)) &&
    (await publicationsStand(project, version, instances)) &&
    (await bronzeStands(project, version, run, instances)) &&
    (await warehouseStands(project, version, run, instances))
  );
}

/** What a setting let pass or skipped then, it does now. */
function switchesStand({ settings }: Project, { dag }: DagVersion, instances: readonly TaskInstance[]): boolean {
  const outputs = new Map(instances.map(({ taskId, output }) => [taskId, output]));
  return dag.tasks.every((task) => {
    const output = outputs.get(task.id);
    return output?.kind !== 'short_circuit' || output.proceed === isSwitchedOn(settings, task);
  });
}

/** The reports say under which gates they were written. */
async function gatesStand(project: Project, instances: readonly TaskInstance[]): Promise<boolean> {
  const { mode, strictForeignKeys } = gateSettings(project.settings);
  for (const { output } of instances) {
    if (output?.kind !== 'report') continue;
    const { name, runMarkdownPath } = output.report;
    const path = join(project.root, dirname(runMarkdownPath), `${name}.results.json`);
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) return false;
    const report = JSON.parse(text) as Report;
    const strictBefore = report.settings.strict_foreign_keys;
    if (report.mode !== mode[report.layer]) return false;
    if (strictBefore !== undefined && strictBefore !== strictForeignKeys) return false;
  }
  return true;
}

async function publicationsStand(
  project: Project,
  version: DagVersion,
  instances: readonly TaskInstance[],
): Promise<boolean> {
  const { publications } = await openLake(project.settings, version.spec.pipeline);
  const published = instances.flatMap(({ output }) => (output?.kind === 'published' ? [output.publication] : []));
  if (published.length === 0) return false;
  for (const { layer, sequence } of published) {
    if ((await publications.current(layer))?.sequence !== sequence) return false;
  }
  return true;
}

async function bronzeStands(
  project: Project,
  version: DagVersion,
  run: DagRun,
  instances: readonly TaskInstance[],
): Promise<boolean> {
  const [{ pinBronze }, { hasLanded }] = await Promise.all([
    import('../transforms/bronze/pin-bronze.ts'),
    import('../transforms/bronze/landed-files.ts'),
  ]);
  const { spec, dag } = version;
  const { bronzeStore, publications } = await openLake(project.settings, spec.pipeline);
  const facts = runFacts(dag, run);
  const landing = landingFiles(project.settings, spec.pipeline);
  const strictForeignKeys = project.settings.values.strict_foreign_keys;
  for (const task of dag.tasks.filter(({ kind, layer }) => kind === 'pin' && layer === 'bronze')) {
    const before = instances.find(({ taskId }) => taskId === task.id)?.output;
    if (before?.kind !== 'pinned') return false;
    for (const table of spec.tables.filter(({ name }) => task.tables.includes(name)))
      if (!(await hasLanded(bronzeStore, landing, table, facts.runDate))) return false;
    const deps = { bronze: bronzeStore, publications, strictForeignKeys };
    const now = await pinBronze(deps, { spec, task, run: facts });
    if (!sameInterval(before.pinned, now, version)) return false;
  }
  return true;
}

/** Tables that pin their interval must pin the same again; those that pin what changed must find nothing. */
function sameInterval(before: PinnedInputs, now: PinnedInputs, version: DagVersion): boolean {
  return Object.entries(now.bronze).every(([name, partitions]) => {
    const table = version.spec.tables.find((one) => one.name === name);
    if (table?.source.select === 'changed') return partitions.length === 0;
    return canonicalJson(partitions) === canonicalJson(before.bronze[name] ?? []);
  });
}
