/** The scheduler and its readers -> one Hono app with Airflow's API, ours, OpenAPI and the pages; it never listens. */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Hono } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { answerError, answerInvalid, refuse } from './error-response.ts';
import type { ApiDeps } from './ports.ts';
import { jsonUnlessSaid, knownHost, limitedBody, sameOrigin, securityHeaders, utf8Body } from './request-guard.ts';
import { registerDagRunRoutes } from './routes/airflow-dag-runs.ts';
import { registerDagRoutes } from './routes/airflow-dags.ts';
import { registerMonitorRoutes } from './routes/airflow-monitor.ts';
import { registerNotServed } from './routes/airflow-not-served.ts';
import { registerTaskInstanceRoutes } from './routes/airflow-task-instances.ts';
import type { Api, ApiEnv } from './routes/api.ts';
import { registerEventRoute } from './routes/events.ts';
import { registerMetricsRoute } from './routes/metrics.ts';
import { registerPages } from './routes/pages.ts';
import { registerPublicationRoutes } from './routes/publications.ts';
import { registerQueryRoute } from './routes/query.ts';
import { registerReportRoutes } from './routes/reports.ts';
import { registerRunRoute } from './routes/runs.ts';
import { registerSpecRoutes } from './routes/specs.ts';

/** Everything is answered by `fetch`; the caller serves it on an address and decides who may reach that. */
export function createApp(deps: ApiDeps): Hono<ApiEnv> {
  const api: Api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result, context) => {
      if (!result.success) return answerInvalid(context, result.target, result.error);
      return undefined;
    },
  });

  api.use(requestId());
  api.use(securityHeaders);
  api.use(knownHost(deps.allowedHosts ?? []));
  api.use(sameOrigin);
  api.use(limitedBody);
  api.use('/api/*', utf8Body);
  api.use('/api/*', jsonUnlessSaid);
  api.use(
    methodNotAllowed({
      app: api,
      onMethodNotAllowed: (context, methods) => {
        const allowed = methods.join(', ');
        const response = refuse(context, 405, `${context.req.path} takes ${allowed}, not ${context.req.method}.`);
        response.headers.set('Allow', allowed);
        return response;
      },
    }),
  );

  registerNotServed(api);
  registerDagRoutes(api, deps);
  registerDagRunRoutes(api, deps);
  registerTaskInstanceRoutes(api, deps);
  registerMonitorRoutes(api, deps);
  registerRunRoute(api, deps);
  registerReportRoutes(api, deps);
  registerPublicationRoutes(api, deps);
  registerSpecRoutes(api, deps);
  registerQueryRoute(api, deps);
  registerMetricsRoute(api, deps);
  registerEventRoute(api, deps);
  registerPages(api, deps);

  api.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Assay',
      version: deps.version,
      description:
        'Under /api/v2 the part of Airflow’s stable REST API that Assay serves; under /api/assay/v1 what Airflow has no word for.',
    },
  });

  api.notFound((context) =>
    refuse(
      context,
      404,
      `Nothing is served at ${context.req.method} ${context.req.path}. What is served is listed at /openapi.json.`,
    ),
  );
  api.onError((error, context) => answerError(context, error, deps.log));
  return api;
}
