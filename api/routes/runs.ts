/** `/api/assay/v1/dags/{dag}/runs/{run}`: a run and its task instances as Assay stores them, for our own command line. */
import { createRoute, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../ports.ts';
import { inOrder } from './airflow-task-instances.ts';
import { type Api, assayErrors, oneOf } from './api.ts';

const picture = z
  .object({
    run: z.record(z.string(), z.unknown()).openapi({ description: 'The `DagRun` of core/types.ts' }),
    instances: z
      .array(z.record(z.string(), z.unknown()))
      .openapi({ description: 'Each a `TaskInstance` of core/types.ts, with error and output, upstream first' }),
  })
  .openapi('RunPicture');

const getRun = createRoute({
  method: 'get',
  path: '/api/assay/v1/dags/{dag_id}/runs/{run_id}',
  tags: ['Runs'],
  summary: 'A run with what each of its tasks did, in one answer; times are epoch milliseconds',
  request: { params: z.object({ dag_id: z.string(), run_id: z.string() }) },
  responses: { 200: oneOf('The run as it is now', { 'application/json': picture }), ...assayErrors },
});

export function registerRunRoute(api: Api, { control }: ApiDeps): void {
  api.openapi(getRun, async (context) => {
    const { dag_id: dagId, run_id: runId } = context.req.valid('param');
    const { dag } = await control.getDag(dagId);
    // The run first: an answer may show a run that is about to end, never an ended one with tasks still running.
    const run = await control.getRun(dagId, runId);
    const instances = inOrder(await control.listTaskInstances(dagId, runId), dag);
    return context.json({ run, instances }, 200);
  });
}
