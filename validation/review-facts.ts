/** A report as it was measured and decided -> the same, with what a reviewer wants to know beside the results. */
import type { TaskContext } from '../core/ports.ts';
import type { Report } from '../core/types.ts';
import { downstreamOf } from './downstream.ts';
import { compareText } from './measured-result.ts';
import { compareReports } from './report/compare-reports.ts';
import { type ReportPlace, readEarlierReport } from './report/earlier-report.ts';
import { rerunCommand } from './report/rerun-command.ts';

/** Reads one earlier report; writes nothing. `remedies`: what may be done where the gate is closed. */
export async function withReviewFacts(
  place: ReportPlace,
  { run, spec }: Pick<TaskContext, 'run' | 'spec'>,
  report: Report,
  remedies: NonNullable<Report['remedies']>,
): Promise<Report> {
  const earlier = await readEarlierReport(place, report.name, run);
  const failed = report.results.filter(({ state }) => state === 'FAIL').map(({ table }) => table);
  // The zone whose days the run's interval counts.
  const timezone = spec.dags.find((dag) => dag.id === run.dagId)?.schedule?.timezone ?? spec.timezone;
  return {
    ...report,
    ...(report.decision.mayPublish || report.layer === 'bronze' ? {} : { remedies }),
    rerun: rerunCommand(run, timezone),
    downstream: downstreamOf(spec, report.layer, [...new Set(failed)].sort(compareText)),
    since:
      'because' in earlier ? { kind: 'nothing_before', because: earlier.because } : compareReports(earlier, report),
  };
}
