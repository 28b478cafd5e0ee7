/** A running server's address -> the part of SchedulerControl that commands need, spoken over HTTP. */
import { ERROR_CODES, type ErrorCode, PipelineError } from '../core/errors.ts';
import { isoInstant } from '../core/partition.ts';
import type { DagRun, TaskInstance } from '../core/types.ts';
import type { ClearRequest, LogLine, TriggerRequest } from '../scheduler/control.ts';

export interface RunPicture {
  readonly run: DagRun;
  readonly instances: readonly TaskInstance[];
}

export interface RemoteControl {
  trigger(request: TriggerRequest): Promise<DagRun>;
  picture(dagId: string, runId: string): Promise<RunPicture>;
  /** Id of the run with that logical date; null where there is none. */
  findRun(dagId: string, logicalDate: string): Promise<string | null>;
  cancel(dagId: string, runId: string): Promise<void>;
  clear(request: ClearRequest): Promise<readonly string[]>;
  setPaused(dagId: string, isPaused: boolean): Promise<void>;
  logs(dagId: string, runId: string, taskId: string, tryNumber: number): Promise<readonly LogLine[]>;
}

/** @throws PipelineError `server_unreachable`, or the code that the server answered with */
export function connectTo(address: string): RemoteControl {
  const dags = (dagId: string) => `/api/v2/dags/${encodeURIComponent(dagId)}`;
  const runs = (dagId: string, runId: string) => `${dags(dagId)}/dagRuns/${encodeURIComponent(runId)}`;
  const ours = (dagId: string, runId: string) =>
    `/api/assay/v1/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`;
  const call = <T>(method: string, path: string, body?: unknown): Promise<T> => request<T>(address, method, path, body);

  return {
    async trigger(wanted) {
      const answer = await call<{ dag_run_id: string }>('POST', `${dags(wanted.dagId)}/dagRuns`, {
        ...(wanted.runId === undefined ? {} : { dag_run_id: wanted.runId }),
        logical_date:
          wanted.logicalDateMs === undefined || wanted.logicalDateMs === null ? null : isoInstant(wanted.logicalDateMs),
        ...(wanted.interval
          ? {
              data_interval_start: isoInstant(wanted.interval.startMs),
              data_interval_end: isoInstant(wanted.interval.endMs),
            }
          : {}),
        ...(wanted.conf ? { conf: wanted.conf } : {}),
      });
      return (await call<RunPicture>('GET', ours(wanted.dagId, answer.dag_run_id))).run;
    },
    picture: (dagId, runId) => call<RunPicture>('GET', ours(dagId, runId)),
    async findRun(dagId, logicalDate) {
      const at = encodeURIComponent(logicalDate);
      const answer = await call<{ dag_runs: { dag_run_id: string }[] }>(
        'GET',
        `${dags(dagId)}/dagRuns?logical_date_gte=${at}&logical_date_lte=${at}&limit=1`,
      );
      return answer.dag_runs[0]?.dag_run_id ?? null;
    },
    async cancel(dagId, runId) {
      await call('PATCH', runs(dagId, runId), { state: 'failed' });
    },
    async clear(wanted) {
      const answer = await call<{ task_instances: { task_id: string }[] }>(
        'POST',
        `${dags(wanted.dagId)}/clearTaskInstances`,
        {
          dry_run: wanted.dryRun,
          dag_run_id: wanted.runId,
          ...(wanted.taskIds === null ? {} : { task_ids: wanted.taskIds }),
          only_failed: wanted.onlyFailed,
          include_downstream: wanted.downstream,
          include_upstream: wanted.upstream,
          run_on_latest_version: wanted.onLatestVersion ?? false,
        },
      );
      return answer.task_instances.map((instance) => instance.task_id);
    },
    async setPaused(dagId, isPaused) {
      await call('PATCH', `${dags(dagId)}?update_mask=is_paused`, { is_paused: isPaused });
    },
    async logs(dagId, runId, taskId, tryNumber) {
      const path = `${runs(dagId, runId)}/taskInstances/${encodeURIComponent(taskId)}/logs/${tryNumber}?full_content=true`;
      const answer = await call<{ content: LogLine[] }>('GET', path);
      return answer.content;
    },
  };
}

async function request<T>(address: string, method: string, path: string, body: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`${address}${path}`, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new PipelineError(
      'server_unreachable',
      `The server at ${address} does not answer. What it runs goes on once it does; if its process is gone, the next one goes on with it: assay server`,
      { cause },
    );
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as T;
  throw asError(response.status, text, `${method} ${path}`);
}

function asError(status: number, text: string, what: string): PipelineError {
  let detail = text;
  let code: ErrorCode | null = null;
  try {
    const body = JSON.parse(text) as { detail?: unknown; code?: string };
    if (body.detail !== undefined) detail = typeof body.detail === 'string' ? body.detail : JSON.stringify(body.detail);
    if (body.code !== undefined && body.code in ERROR_CODES) code = body.code as ErrorCode;
  } catch {
    detail = text.slice(0, 500);
  }
  const fallback: Readonly<Record<number, ErrorCode>> = {
    404: 'run_not_found',
    409: 'run_exists',
    400: 'usage',
    422: 'usage',
  };
  return new PipelineError(code ?? fallback[status] ?? 'internal', `${detail} (${what}: HTTP ${status})`);
}
