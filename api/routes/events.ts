/** What happens in the scheduler -> one stream of server-sent events a listener, until it leaves. */
import { createRoute, z } from '@hono/zod-openapi';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { SchedulerControl, SchedulerEvent } from '../../scheduler/control.ts';
import { airflowRun, airflowTaskState } from '../airflow/shapes.ts';
import { Alarm } from '../follow-run.ts';
import type { ApiDeps } from '../ports.ts';
import { type Api, assayErrors, oneOf } from './api.ts';

const HEARTBEAT_MS = 15_000;

/** A listener that reads more slowly than this many events pile up is told to look again instead. */
const MAX_PENDING = 1000;

const RETRY_MS = 2000;

const getEvents = createRoute({
  method: 'get',
  path: '/api/assay/v1/events',
  tags: ['Events'],
  summary: 'Runs, tasks and progress as they change',
  description:
    'Server-sent events: `run`, `task` and `progress` say what changed; `resync` says that changes may have been ' +
    'missed (after a reconnect, or when the listener is slow), so that it should read the state again; `heartbeat` ' +
    'says that the server lives.',
  request: { query: z.object({ dag_id: z.string().optional(), run_id: z.string().optional() }) },
  responses: {
    200: oneOf('The stream', { 'text/event-stream': z.string() }),
    ...assayErrors,
  },
});

export function registerEventRoute(api: Api, deps: ApiDeps): void {
  api.openapi(getEvents, (context) => {
    const { dag_id: dagId, run_id: runId } = context.req.valid('query');
    const isResumed = context.req.header('last-event-id') !== undefined;
    context.header('X-Accel-Buffering', 'no');
    // Nobody would read the stream of a HEAD, nor end it.
    if (context.req.method === 'HEAD') return context.body(null, 200, { 'Content-Type': 'text/event-stream' });
    return streamSSE(context, async (stream) => {
      const isWanted = (event: SchedulerEvent): boolean => {
        const of = placeOf(event);
        return (dagId === undefined || dagId === of.dagId) && (runId === undefined || runId === of.runId);
      };
      if (isResumed) await stream.writeSSE({ event: 'resync', data: '{}', retry: RETRY_MS });
      await pump(stream, deps.control, isWanted, deps.heartbeatMs ?? HEARTBEAT_MS);
    });
  });
}

async function pump(
  stream: SSEStreamingApi,
  control: SchedulerControl,
  isWanted: (event: SchedulerEvent) => boolean,
  heartbeatMs: number,
): Promise<void> {
  let pending: SchedulerEvent[] = [];
  let hasMissed = false;
  let id = 0;
  const alarm = new Alarm();
  const unsubscribe = control.subscribe((event) => {
    if (!isWanted(event)) return;
    if (pending.length < MAX_PENDING) pending.push(event);
    else hasMissed = true;
    alarm.ring();
  });
  stream.onAbort(() => alarm.ring());
  try {
    await stream.writeSSE({ event: 'heartbeat', data: '{}', retry: RETRY_MS });
    while (!stream.aborted && !stream.closed) {
      await alarm.sleep(heartbeatMs);
      const batch = pending;
      pending = [];
      for (const event of batch) {
        await stream.writeSSE({ event: event.kind, data: JSON.stringify(shapeOf(event)), id: String(++id) });
      }
      if (hasMissed) await stream.writeSSE({ event: 'resync', data: '{}' });
      else if (batch.length === 0) await stream.writeSSE({ event: 'heartbeat', data: '{}' });
      hasMissed = false;
    }
  } finally {
    unsubscribe();
  }
}

function placeOf(event: SchedulerEvent): { readonly dagId: string; readonly runId: string } {
  switch (event.kind) {
    case 'run':
      return event.run;
    case 'task':
      return event.instance;
    case 'progress':
      return event;
    default:
      return event satisfies never;
  }
}

function shapeOf(event: SchedulerEvent): object {
  switch (event.kind) {
    case 'run':
      return airflowRun(event.run);
    case 'task':
      return {
        dag_id: event.instance.dagId,
        dag_run_id: event.instance.runId,
        task_id: event.instance.taskId,
        try_number: event.instance.tryNumber,
        previous_state: airflowTaskState(event.previous),
        state: airflowTaskState(event.instance.state),
      };
    case 'progress':
      return { dag_id: event.dagId, dag_run_id: event.runId, task_id: event.taskId, line: event.line };
    default:
      return event satisfies never;
  }
}
