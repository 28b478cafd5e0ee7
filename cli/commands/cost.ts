/** `assay cost`: what the warehouse jobs of one run cost, by table and task. */
import type { Dag, TaskInstance } from '../../core/types.ts';
import { describeInterval } from '../follow-run.ts';
import { costsByTable, costWords, sum, type TableCosts } from '../job-costs.ts';
import type { GlobalFlags } from '../project.ts';
import { requireRun, withReader } from '../read-control.ts';
import { bytes, dollars, number, seconds } from '../task-words.ts';
import { printJson, printLines, table } from '../terminal.ts';

const LINKS_SHOWN = 20;

export async function cost(
  flags: GlobalFlags,
  dagId: string,
  runId: string,
  options: { readonly json?: boolean },
): Promise<void> {
  await withReader(flags, async (reader) => {
    const { dag } = await reader.getDag(dagId);
    const run = await requireRun(reader, dagId, runId);
    const instances = await reader.listTaskInstances(dagId, run.runId);
    const tables = costsByTable(instances);
    if (options.json) {
      printJson({ dagId, runId: run.runId, state: run.state, total: sum(tables), tables });
      return;
    }
    printLines([`${titleOf(dag, run.interval)}, run ${run.runId}`, ...costLines(tables), ...notCounted(instances)]);
  });
}

const titleOf = (dag: Dag, interval: Parameters<typeof describeInterval>[0]): string =>
  `${dag.id} for ${describeInterval(interval, dag.timezone)}`;

/** The table with its sum and the jobs' addresses. */
export function costLines(tables: readonly TableCosts[]): readonly string[] {
  if (tables.length === 0) return ['No task of it asked a warehouse that bills by the job, so it cost nothing there.'];
  const total = sum(tables);
  const links = tables.flatMap((each) => each.links);
  const more = links.length - LINKS_SHOWN;
  return [
    ...table(
      ['table', 'task', 'jobs', 'processed', 'billed', 'slot time', 'cost'],
      tables.map((each) => [
        tableWords(each.table),
        each.taskId,
        number(each.jobs),
        bytes(each.bytesProcessed),
        bytes(each.bytesBilled),
        seconds(each.slotMs),
        dollars(each.costUsd),
      ]),
    ),
    '',
    `In all ${costWords(total)}.`,
    ...(total.adopted > 0 ? [`Started by an earlier try, and paid for then: ${number(total.adopted)}.`] : []),
    ...links.slice(0, LINKS_SHOWN).map((link) => `  ${link}`),
    ...(more > 0 ? [`  and ${number(more)} more; --json has them all`] : []),
  ];
}

/** One job may write several tables of a dataset. */
function tableWords(name: string): string {
  const names = name.split(', ');
  return names.length === 1 ? name : `${names[0]?.split('.')[0]}: ${number(names.length)} tables`;
}

/** What failed has left no output, and so no word of its jobs. */
function notCounted(instances: readonly TaskInstance[]): readonly string[] {
  const failed = instances.filter(({ state }) => state === 'failed').map(({ taskId }) => taskId);
  return failed.length === 0 ? [] : [`Not counted: what failed may have run jobs too (${failed.join(', ')}).`];
}
