/** `assay publish`: what a closed gate kept back, by the word of whoever asks; then its run goes on. */
import { stateFolder } from '../../config/project-paths.ts';
import { PipelineError } from '../../core/errors.ts';
import { isoInstant } from '../../core/partition.ts';
import type { Spec } from '../../core/spec.ts';
import type { Acceptance, PublishedLayer } from '../../core/types.ts';
import type { ClearRequest } from '../../scheduler/control.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { writeAcceptance } from '../../storage/acceptance-file.ts';
import { heldError } from '../../storage/hold-file.ts';
import { descendants, tablesToHold } from '../../validation/held-tables.ts';
import { failuresDigest } from '../../validation/report/render-results.ts';
import { startScheduler } from '../app.ts';
import { type ClosedGate, findClosedGate } from '../closed-gate.ts';
import { createLogger } from '../create-logger.ts';
import { resumeRemote } from '../follow-remote.ts';
import { describeInterval, exitCodeOf, outcomeLines, type RunOutcome, watch } from '../follow-run.ts';
import { whoAmI } from '../hold-words.ts';
import { onInterrupt } from '../interrupt.ts';
import { type Lake, openLake } from '../lake.ts';
import { type GlobalFlags, openProject, type Project, requirePipeline } from '../project.ts';
import { withReader } from '../read-control.ts';
import { systemClock } from '../system-clock.ts';
import { confirm, printJson, printLines } from '../terminal.ts';
import { parseLayer } from './publications.ts';

interface PublishOptions {
  readonly because?: string;
  readonly holdFailed?: boolean;
  readonly run?: string;
  readonly pipeline?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/**
 * The word is given to the report as it stands: where the run measures otherwise afterwards, its gate stays closed. A repeat
 * after a crash goes on where it stopped.
 */
export async function publish(flags: GlobalFlags, layerName: string, options: PublishOptions): Promise<void> {
  const layer = parseLayer(layerName);
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const lake = await openLake(project.settings, spec.pipeline);
  const gate = await withReader(flags, (reader) => findClosedGate(reader, project, spec, layer, options.run));
  const held = options.holdFailed ? heldOf(spec, layer, gate) : [];
  if (!options.holdFailed) assertMeasured(layer, gate);
  const plan = await describe(lake, spec, layer, gate, held);
  if (options.dryRun) {
    if (options.json) printJson(plan.facts);
    else printLines(plan.lines);
    return;
  }
  const because = options.because?.trim() ?? '';
  if (because === '') {
    throw new PipelineError(
      'usage',
      'Say why with --because "…": it stays with the version, for whoever reads it later.',
    );
  }
  const hold = await lake.publications.held(layer);
  if (hold !== null) throw heldError(hold);
  if (!(await confirm(`${plan.lines.join('\n')}\nGo on?`, options.yes))) {
    throw new PipelineError('usage', 'Nothing was changed. Say --yes to go on without being asked.');
  }
  const accept = () => write(lake, layer, gate, { by: whoAmI(), because, held });
  process.exitCode = await goOn(project, gate, accept, options.json ?? false);
}

function heldOf(spec: Spec, layer: PublishedLayer, gate: ClosedGate): readonly string[] {
  const held = tablesToHold(spec, layer, gate.input);
  if (held !== null) return held;
  throw new PipelineError(
    'state_conflict',
    `Holding back what failed would leave no table of ${layer} to publish: ${gate.report.decision.blockedBy.join(', ')}. ` +
      'Correct the data or the limits, or let the whole layer pass by leaving --hold-failed out.',
  );
}

function assertMeasured(layer: PublishedLayer, { undecided }: ClosedGate): void {
  if (undecided.length === 0) return;
  throw new PipelineError(
    'gate_undecided',
    `${undecided.join(', ')} could not be decided, and nobody can let pass what was not measured. ` +
      `Deliver what is missing or unreadable, or publish the other tables: assay publish ${layer} --hold-failed --because …`,
  );
}

interface Plan {
  readonly lines: readonly string[];
  readonly facts: object;
}

async function describe(
  lake: Lake,
  spec: Spec,
  layer: PublishedLayer,
  { dag, run, report, input }: ClosedGate,
  held: readonly string[],
): Promise<Plan> {
  const current = await lake.publications.current(layer);
  const { blockedBy } = report.decision;
  const days = describeInterval(run.interval, dag.timezone);
  const after = descendants(
    spec,
    held.map((table) => `${layer}.${table}`),
  ).filter((table) => !table.startsWith(`${layer}.`));
  const published = input.tables.filter((table) => !held.includes(table));
  const readers = current === null ? 'nothing' : `version ${current.sequence}`;
  return {
    lines: [
      `${layer} of ${days} stopped at its gate, in run ${run.runId} of ${dag.id}: ${blockedBy.join(', ')}.`,
      `Readers see ${readers}. Would be published: ${held.length === 0 ? 'all' : published.length} of ${input.tables.length} tables, and what is built on them.`,
      ...(held.length === 0
        ? []
        : [
            `Would stay as readers see it: ${held.join(', ')}${after.length === 0 ? '' : `; built on them: ${after.join(', ')}`}.`,
          ]),
    ],
    facts: {
      layer,
      dagId: dag.id,
      runId: run.runId,
      interval: report.interval,
      current: current?.sequence ?? null,
      blockedBy,
      published,
      held,
      heldDownstream: after,
    },
  };
}

async function write(
  lake: Lake,
  layer: PublishedLayer,
  { dag, run, report }: ClosedGate,
  word: Acceptance,
): Promise<void> {
  const gate = {
    layer,
    run: { dagId: dag.id, runId: run.runId },
    report: report.name,
    failures: failuresDigest(report),
  };
  await writeAcceptance(lake.store, gate, word, isoInstant(systemClock.now()));
}

/** Runs the gate and all that waits behind it again, here or on the server that has the project. The exit code. */
async function goOn(
  project: Project,
  { dag, run, task }: ClosedGate,
  accept: () => Promise<void>,
  json: boolean,
): Promise<number> {
  const request: ClearRequest = {
    dagId: dag.id,
    runId: run.runId,
    taskIds: [task.id],
    onlyFailed: false,
    downstream: true,
    upstream: false,
    dryRun: false,
  };
  const holder = readProjectLock(stateFolder(project.settings));
  if (holder?.address) {
    await accept();
    return resumeRemote(holder.address, project, dag, request, json);
  }
  await using running = await startScheduler(project, { schedules: false, log: createLogger('warn') });
  using _interrupt = onInterrupt(
    running.scheduler,
    `The run goes on with the next: assay server, or assay run ${dag.id}`,
  );
  using _watching = await watch(running.scheduler, project);
  await accept();
  await running.scheduler.clear(request);
  const ended = await running.scheduler.waitForRun(dag.id, run.runId);
  const instances = await running.scheduler.listTaskInstances(dag.id, run.runId);
  const outcome: RunOutcome = { run: ended, instances, isNoop: false };
  if (json) printJson([outcome]);
  else printLines(outcomeLines(dag, outcome));
  return exitCodeOf([outcome]);
}
