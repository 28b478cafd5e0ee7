/** `assay trigger`: asks the running server for a run. */
import { stateFolder } from '../../config/project-paths.ts';
import { PipelineError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/types.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { followRemote } from '../follow-remote.ts';
import { wantedRuns } from '../follow-run.ts';
import { connectTo } from '../http-control.ts';
import { type GlobalFlags, openProject, requireDag } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';

interface TriggerOptions {
  readonly date?: string;
  readonly runId?: string;
  readonly conf?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

export async function trigger(flags: GlobalFlags, dagId: string, options: TriggerOptions): Promise<void> {
  const project = await openProject(flags);
  const { dag } = requireDag(project, dagId);
  const holder = readProjectLock(stateFolder(project.settings));
  if (!holder?.address) {
    throw new PipelineError(
      'server_unreachable',
      `No server runs for this project. Start one with: assay server — or run the DAG here: assay run ${dagId}${options.date ? ` --date ${options.date}` : ''}`,
    );
  }
  const [wanted] = wantedRuns(dag, options.date === undefined ? {} : { date: options.date });
  if (!wanted) throw new Error('no run was planned');
  const named = { ...wanted, ...(options.runId === undefined ? {} : { runId: options.runId }) };
  if (options.follow) {
    process.exitCode = await followRemote(holder.address, project, dag, [named], {
      rerun: false,
      json: options.json ?? false,
    });
    return;
  }
  const run = await connectTo(holder.address).trigger({
    dagId,
    triggeredBy: 'cli',
    logicalDateMs: named.logicalDateMs,
    ...(named.interval ? { interval: named.interval } : {}),
    ...(named.runId === undefined ? {} : { runId: named.runId }),
    ...(options.conf === undefined ? {} : { conf: parseConf(options.conf) }),
  });
  if (options.json) printJson(run);
  else printLines([`Queued run ${run.runId} of ${dagId}. See it with: assay status ${dagId} '${run.runId}'`]);
}

function parseConf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // said below
  }
  throw new PipelineError('usage', `--conf takes a JSON object such as '{"reason": "late files"}', not: ${text}`);
}
