/** Validation reports over HTTP: the list, and each as Markdown, HTML or JSON. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { html } from 'hono/html';
import { LAYERS } from '../../core/types.ts';
import { findReport, missing, reportOfRun } from '../find-report.ts';
import { renderMarkdownHtml } from '../pages/markdown-html.ts';
import type { ApiDeps, ReportSelector, ReportSummary } from '../ports.ts';
import { type Api, type ApiEnv, assayErrors, json, oneOf } from './api.ts';

const tags = ['Reports'];

const verdict = z.enum(['PASS', 'WARN', 'FAIL']);
const FORMATS = ['md', 'html', 'json'] as const;
type Format = (typeof FORMATS)[number];

const report = z
  .object({
    name: z.string(),
    pipeline: z.string(),
    layer: z.enum(LAYERS),
    verdict,
    may_publish: z.boolean(),
    mode: z.enum(['strict', 'warning-only']),
    blocked_by: z.array(z.string()),
    interval: z.object({ from: z.string(), to: z.string() }),
    dag_id: z.string().nullable(),
    run_id: z.string().nullable(),
    digest: z.string(),
    markdown_path: z.string(),
  })
  .openapi('Report');

const reportList = z.object({ reports: z.array(report), total_entries: z.number().int() });

const reportBody = oneOf('The report', {
  'text/markdown': z.string(),
  'text/html': z.string(),
  'application/json': z.unknown(),
});

const format = z
  .enum(FORMATS)
  .optional()
  .openapi({ description: 'Wins over Accept; Markdown where neither says anything' });

const listReports = createRoute({
  method: 'get',
  path: '/api/assay/v1/reports',
  tags,
  summary: 'The newest report of each layer and pipeline',
  request: { query: z.object({ pipeline: z.string().optional(), verdict: verdict.optional() }) },
  responses: {
    200: json(reportList, 'By pipeline and name'),
    ...assayErrors,
  },
});

const getReport = createRoute({
  method: 'get',
  path: '/api/assay/v1/reports/{name}',
  tags,
  summary: 'The newest report of a name',
  request: {
    params: z.object({ name: z.string() }),
    query: z.object({ format, pipeline: z.string().optional() }),
  },
  responses: { 200: reportBody, ...assayErrors },
});

const listRunReports = createRoute({
  method: 'get',
  path: '/api/assay/v1/runs/{dag_id}/{run_id}/reports',
  tags,
  summary: 'The reports that one run wrote',
  request: { params: z.object({ dag_id: z.string(), run_id: z.string() }) },
  responses: { 200: json(reportList, 'In the order of the layers'), ...assayErrors },
});

const getRunReport = createRoute({
  method: 'get',
  path: '/api/assay/v1/runs/{dag_id}/{run_id}/reports/{name}',
  tags,
  summary: 'A report as one run wrote it',
  request: {
    params: z.object({ dag_id: z.string(), run_id: z.string(), name: z.string() }),
    query: z.object({ format }),
  },
  responses: { 200: reportBody, ...assayErrors },
});

export function registerReportRoutes(api: Api, deps: ApiDeps): void {
  const { control, reports } = deps;

  api.openapi(listReports, async (context) => {
    const query = context.req.valid('query');
    const chosen = (await reports.list()).filter(
      (summary) =>
        (query.pipeline === undefined || query.pipeline === summary.pipeline) &&
        (query.verdict === undefined || query.verdict === summary.verdict),
    );
    return context.json({ reports: chosen.map(shapeOf), total_entries: chosen.length }, 200);
  });

  api.openapi(getReport, async (context) => {
    const { name } = context.req.valid('param');
    const query = context.req.valid('query');
    return sendReport(context, deps, await findReport(reports, name, query.pipeline), query.format);
  });

  api.openapi(listRunReports, async (context) => {
    const { dag_id: dagId, run_id: runId } = context.req.valid('param');
    await control.getRun(dagId, runId);
    const written = await reports.listOfRun(dagId, runId);
    return context.json({ reports: written.map(shapeOf), total_entries: written.length }, 200);
  });

  api.openapi(getRunReport, async (context) => {
    const { dag_id: dagId, run_id: runId, name } = context.req.valid('param');
    await control.getRun(dagId, runId);
    return sendReport(context, deps, reportOfRun(dagId, runId, name), context.req.valid('query').format);
  });
}

function shapeOf(summary: ReportSummary): z.infer<typeof report> {
  return {
    name: summary.name,
    pipeline: summary.pipeline,
    layer: summary.layer,
    verdict: summary.verdict,
    may_publish: summary.mayPublish,
    mode: summary.mode,
    blocked_by: [...summary.blockedBy],
    interval: summary.interval,
    dag_id: summary.run?.dagId ?? null,
    run_id: summary.run?.runId ?? null,
    digest: summary.digest,
    markdown_path: summary.markdownPath,
  };
}

async function sendReport(
  context: Context<ApiEnv>,
  { reports }: ApiDeps,
  selector: ReportSelector,
  asked: Format | undefined,
): Promise<Response> {
  const chosen = asked ?? formatByAccept(context);
  if (chosen === 'json') {
    const results = await reports.results(selector);
    if (results === null) throw missing(selector);
    return context.json(results, 200);
  }
  const markdown = await reports.markdown(selector);
  if (markdown === null) throw missing(selector);
  if (chosen === 'md') return context.body(markdown, 200, { 'Content-Type': 'text/markdown; charset=utf-8' });
  return context.html(html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${selector.name}</title></head>
<body><main>${renderMarkdownHtml(markdown)}</main></body></html>`);
}

function formatByAccept(context: Context<ApiEnv>): Format {
  const type = accepts(context, {
    header: 'Accept',
    supports: ['text/markdown', 'text/html', 'application/json'],
    default: 'text/markdown',
  });
  return type === 'text/html' ? 'html' : type === 'application/json' ? 'json' : 'md';
}
