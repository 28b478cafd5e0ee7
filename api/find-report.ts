/** A report's name as an address gives it -> the one report that is meant. */
import { PipelineError } from '../core/errors.ts';
import type { ReportReader, ReportSelector } from './ports.ts';

/** Names hold no slash and begin with a letter, so that none can lead out of the reports' folder. */
const NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;

/**
 * The newest report of that name.
 *
 * @throws PipelineError `report_not_found`; `usage` where several pipelines have a report of that name and none is given
 */
export async function findReport(
  reports: ReportReader,
  name: string,
  pipeline: string | undefined,
): Promise<ReportSelector> {
  const all = await reports.list();
  const named = all.filter(
    (report) => report.name === name && (pipeline === undefined || report.pipeline === pipeline),
  );
  const [only, second] = named;
  if (!only) throw notFound(name, [...new Set(all.map((report) => report.name))]);
  if (second) {
    const pipelines = named.map((report) => report.pipeline).join(', ');
    throw new PipelineError(
      'usage',
      `Several pipelines have a report ${name}: add ?pipeline= with one of ${pipelines}.`,
    );
  }
  return { name, pipeline: only.pipeline, run: null };
}

/** The report that a run wrote; whether it did is known when it is read. */
export function reportOfRun(dagId: string, runId: string, name: string): ReportSelector {
  if (!NAME.test(name)) throw notFound(name, []);
  return { name, pipeline: null, run: { dagId, runId } };
}

export function missing(selector: ReportSelector): PipelineError {
  return selector.run
    ? new PipelineError(
        'report_not_found',
        `The run ${selector.run.runId} of ${selector.run.dagId} wrote no report ${selector.name}.`,
      )
    : notFound(selector.name, []);
}

function notFound(name: string, known: readonly string[]): PipelineError {
  const hint =
    known.length === 0 ? 'Reports appear when a run has validated a layer.' : `There are ${known.join(', ')}.`;
  return new PipelineError('report_not_found', `There is no report ${name}. ${hint}`);
}
