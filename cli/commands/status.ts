/** `assay status`: DAGs with their last runs, the runs of one DAG, or the tasks of one run. */
import { isoInstant } from '../../core/partition.ts';
import type { Dag, DagRun } from '../../core/types.ts';
import type { RunReader } from '../../scheduler/run-reader.ts';
import { describeInterval } from '../follow-run.ts';
import { costFact } from '../job-costs.ts';
import type { GlobalFlags } from '../project.ts';
import { requireRun, withReader } from '../read-control.ts';
import { renderTree } from '../run-progress.ts';
import { systemClock } from '../system-clock.ts';
import { seconds } from '../task-words.ts';
import { printJson, printLines, table } from '../terminal.ts';

const RUNS_SHOWN = 20;

export async function status(
  flags: GlobalFlags,
  dagId: string | undefined,
  runId: string | undefined,
  options: { readonly json?: boolean },
): Promise<void> {
  await withReader(flags, async (reader) => {
    if (dagId === undefined) return showDags(reader, options.json ?? false);
    if (runId === undefined) return showRuns(reader, dagId, options.json ?? false);
    return showRun(reader, dagId, runId, options.json ?? false);
  });
}

async function showDags(reader: RunReader, json: boolean): Promise<void> {
  const dags = await reader.listDags();
  const last = await Promise.all(
    dags.map(
      async ({ dag }) => (await reader.listRuns({ dagId: dag.id, orderBy: ['-queued_at'], limit: 1 })).runs[0] ?? null,
    ),
  );
  if (json) {
    printJson(dags.map((summary, at) => ({ ...summary, lastRun: last[at] })));
    return;
  }
  printLines(
    table(
      ['dag', 'schedule', 'paused', 'next run', 'last run', 'state'],
      dags.map(({ dag, isPaused, next }, at) => [
        dag.id,
        dag.schedule?.cron ?? 'when triggered',
        isPaused ? 'paused' : '',
        next ? isoInstant(next.runAfterMs) : '',
        last[at]?.runId ?? '',
        last[at]?.state ?? '',
      ]),
    ),
  );
}

async function showRuns(reader: RunReader, dagId: string, json: boolean): Promise<void> {
  const { dag } = await reader.getDag(dagId);
  const { runs, total } = await reader.listRuns({ dagId, orderBy: ['-queued_at'], limit: RUNS_SHOWN });
  if (json) {
    printJson(runs);
    return;
  }
  printLines(
    table(
      ['run', 'covers', 'state', 'took'],
      runs.map((run) => runRow(dag, run)),
    ),
  );
  if (total > runs.length) printLines([`and ${total - runs.length} older ones`]);
}

function runRow(dag: Dag, run: DagRun): string[] {
  const took = run.startedAtMs === null ? '' : seconds((run.endedAtMs ?? systemClock.now()) - run.startedAtMs);
  return [run.runId, describeInterval(run.interval, dag.timezone), run.state, took];
}

async function showRun(reader: RunReader, dagId: string, runId: string, json: boolean): Promise<void> {
  const { dag } = await reader.getDag(dagId);
  const run = await requireRun(reader, dagId, runId);
  const instances = await reader.listTaskInstances(dagId, run.runId);
  if (json) {
    printJson({ run, instances });
    return;
  }
  const cost = costFact(instances);
  printLines([
    ...renderTree({ dag, run, instances: new Map(instances.map((one) => [one.taskId, one])) }, systemClock.now()),
    ...(cost === null ? [] : [`  warehouse: ${cost} (by table: assay cost ${dagId} '${run.runId}')`]),
  ]);
}
