/** An attempt -> its id and the place of its log. */
import { keySafe } from '../core/object-keys.ts';
import type { TaskInstance } from '../core/types.ts';

type AttemptName = Pick<TaskInstance, 'dagId' | 'runId' | 'taskId' | 'mapIndex' | 'tryNumber'>;

/** `dag/run/task/map index/try`, unique in the project. */
export function attemptIdOf({ dagId, runId, taskId, mapIndex, tryNumber }: AttemptName): string {
  return [dagId, runId, taskId, mapIndex, tryNumber].join('/');
}

/** Relative to the state folder: `logs/<dag>/<run>/<task>/<try>.jsonl`. Run ids that would share a folder are refused earlier. */
export function attemptLogPath({ dagId, runId, taskId, tryNumber }: Omit<AttemptName, 'mapIndex'>): string {
  return ['logs', keySafe(dagId), keySafe(runId), keySafe(taskId), `${tryNumber}.jsonl`].join('/');
}
