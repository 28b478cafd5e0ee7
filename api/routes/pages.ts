/** The pages and the forms on them, over the same ports as the API; they work without a script. */
import type { Context } from 'hono';
import { PipelineError } from '../../core/errors.ts';
import { intervalOfDays, isDay } from '../../core/partition.ts';
import { findReport, missing, reportOfRun } from '../find-report.ts';
import { dagPage } from '../pages/dag-page.ts';
import { logPage } from '../pages/log-page.ts';
import { overviewPage } from '../pages/overview-page.ts';
import { reportPage, reportsPage } from '../pages/report-page.ts';
import { runPage } from '../pages/run-page.ts';
import { dagHref, runHref } from '../pages/words.ts';
import type { ApiDeps, ReportSelector } from '../ports.ts';
import { inOrder } from './airflow-task-instances.ts';
import type { Api, ApiEnv } from './api.ts';

const HISTORY = 14;
const RECENT = 12;
const RUNS_A_PAGE = 50;

export function registerPages(api: Api, deps: ApiDeps): void {
  const { control, reports, clock } = deps;

  api.get('/', async (context) => {
    const [summaries, recent, allReports, current, issues] = await Promise.all([
      control.listDags(),
      control.listRuns({ orderBy: ['-run_after'], limit: RECENT }),
      reports.list(),
      deps.publications.current(),
      deps.specs.issues(),
    ]);
    const dags = await Promise.all(
      summaries.map(async (summary) => ({
        summary,
        lastRuns: (await newestRuns(deps, summary.dag.id, HISTORY, 0)).runs,
      })),
    );
    return context.html(
      overviewPage({
        dags,
        recentRuns: recent.runs,
        reports: allReports,
        current,
        issues,
        nowMs: clock.now(),
      }),
    );
  });

  api.get('/reports', async (context) => context.html(reportsPage(await reports.list())));

  api.get('/reports/:name', async (context) => {
    const selector = await findReport(reports, context.req.param('name'), context.req.query('pipeline'));
    return context.html(reportPage(selector, await markdownOf(deps, selector)));
  });

  api.get('/dags/:dag', async (context) => {
    const summary = await control.getDag(context.req.param('dag'));
    const offset = wholeNumber(context.req.query('offset') ?? '0');
    const { runs, total } = await newestRuns(deps, summary.dag.id, RUNS_A_PAGE, offset);
    return context.html(
      dagPage({ summary, runs, totalRuns: total, offset, pageSize: RUNS_A_PAGE, nowMs: clock.now() }),
    );
  });

  api.get('/dags/:dag/runs/:run', async (context) => {
    const { dag: dagId, run: runId } = context.req.param();
    const [{ dag }, run, instances, written] = await Promise.all([
      control.getDag(dagId),
      control.getRun(dagId, runId),
      control.listTaskInstances(dagId, runId),
      reports.listOfRun(dagId, runId),
    ]);
    return context.html(
      runPage({ run, dag, instances: inOrder(instances, dag), reports: written, nowMs: clock.now() }),
    );
  });

  api.get('/dags/:dag/runs/:run/tasks/:task/logs/:try', async (context) => {
    const { dag: dagId, run: runId, task: taskId, try: text } = context.req.param();
    const tryNumber = wholeNumber(text);
    const [{ dag }, run, instance, lines] = await Promise.all([
      control.getDag(dagId),
      control.getRun(dagId, runId),
      control.getTaskInstance(dagId, runId, taskId),
      control.logs(dagId, runId, taskId, tryNumber),
    ]);
    return context.html(logPage({ run, dag, instance, tryNumber, lines, nowMs: clock.now() }));
  });

  api.get('/dags/:dag/runs/:run/reports/:name', async (context) => {
    const { dag: dagId, run: runId, name } = context.req.param();
    await control.getRun(dagId, runId);
    const selector = reportOfRun(dagId, runId, name);
    return context.html(reportPage(selector, await markdownOf(deps, selector)));
  });

  api.post('/dags/:dag/trigger', async (context) => {
    const { dag } = await control.getDag(context.req.param('dag'));
    const date = await formField(context, 'date');
    if (!isDay(date)) throw new PipelineError('usage', `'${date}' is no calendar day; write it as 2025-10-15.`);
    const interval = intervalOfDays(date, date, dag.timezone);
    const run = await control.trigger({
      dagId: dag.id,
      logicalDateMs: interval.startMs,
      interval,
      runType: 'manual',
      triggeredBy: 'ui',
    });
    return context.redirect(runHref(run), 303);
  });

  api.post('/dags/:dag/pause', async (context) => {
    const dagId = context.req.param('dag');
    const paused = await formField(context, 'paused');
    if (paused !== 'true' && paused !== 'false') {
      throw new PipelineError('usage', `paused is true or false, not '${paused}'.`);
    }
    await control.setPaused(dagId, paused === 'true');
    return context.redirect(cameFrom(context, dagId), 303);
  });

  api.post('/dags/:dag/runs/:run/cancel', async (context) => {
    const { dag, run } = context.req.param();
    return context.redirect(runHref(await control.cancel(dag, run)), 303);
  });

  api.post('/dags/:dag/runs/:run/clear', async (context) => {
    const { dag: dagId, run: runId } = context.req.param();
    await control.clear({
      dagId,
      runId,
      taskIds: null,
      onlyFailed: true,
      upstream: false,
      downstream: true,
      dryRun: false,
    });
    return context.redirect(runHref({ dagId, runId }), 303);
  });
}

function newestRuns({ control }: ApiDeps, dagId: string, limit: number, offset: number) {
  return control.listRuns({ dagId, orderBy: ['-run_after'], limit, offset });
}

async function markdownOf({ reports }: ApiDeps, selector: ReportSelector): Promise<string> {
  const markdown = await reports.markdown(selector);
  if (markdown === null) throw missing(selector);
  return markdown;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new PipelineError('usage', `'${text}' is no whole number.`);
  return Number(text);
}

async function formField(context: Context<ApiEnv>, name: string): Promise<string> {
  const value = (await context.req.parseBody())[name];
  return typeof value === 'string' ? value : '';
}

/** Back to the page with the button: the overview or the DAG's own; never anywhere that the request names freely. */
function cameFrom(context: Context<ApiEnv>, dagId: string): string {
  const referer = context.req.header('referer');
  return referer !== undefined && URL.canParse(referer) && new URL(referer).pathname === dagHref(dagId)
    ? dagHref(dagId)
    : '/';
}
