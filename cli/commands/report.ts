/** `assay report show`: one report as written, or all with their verdicts. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { type ReportListing, readReports } from '../../validation/report/list-reports.ts';
import { type GlobalFlags, openProject, type Project, requireValidSpecs } from '../project.ts';
import { printJson, printLines, table } from '../terminal.ts';

export async function show(
  flags: GlobalFlags,
  name: string | undefined,
  options: { readonly run?: string; readonly json?: boolean },
): Promise<void> {
  const project = await openProject(flags);
  const reports = await allReports(project);
  if (name === undefined) return list(reports, options.json ?? false);
  const wanted = name.replace(/\.md$/, '').toUpperCase();
  const found = reports.filter((report) => report.name === wanted);
  const [report, ...more] = found;
  if (!report) throw notFound(project, wanted, reports);
  if (more.length > 0) {
    throw new PipelineError(
      'usage',
      `Several pipelines have a ${wanted}: ${found.map((one) => one.markdownPath).join(', ')}. Open the file that you mean.`,
    );
  }
  const chosen = options.run === undefined ? report : report.runs.find((copy) => copy.runId === options.run);
  if (!chosen) {
    const runs = report.runs
      .map((copy) => copy.runId)
      .slice(0, 10)
      .join(', ');
    throw new PipelineError(
      'report_not_found',
      `Run ${options.run} wrote no ${wanted}. Runs that did: ${runs || 'none'}.`,
    );
  }
  process.stdout.write(
    await readFile(join(project.root, options.json ? chosen.resultsPath : chosen.markdownPath), 'utf8'),
  );
}

export async function allReports(project: Project): Promise<readonly ReportListing[]> {
  const folders = [...new Set(project.specs.map((spec) => spec.reportDir))];
  return (await Promise.all(folders.map((folder) => readReports(project.root, folder)))).flat();
}

function list(reports: readonly ReportListing[], json: boolean): void {
  if (json) printJson(reports);
  else if (reports.length === 0) printLines(['No report has been written yet. A run writes one for each layer.']);
  else {
    printLines(
      table(
        ['report', 'pipeline', 'verdict', 'published', 'covers', 'file'],
        reports.map((report) => [
          report.name,
          report.pipeline,
          report.verdict,
          report.mayPublish ? 'yes' : 'no',
          report.interval.from === report.interval.to
            ? report.interval.from
            : `${report.interval.from}..${report.interval.to}`,
          report.markdownPath,
        ]),
      ),
    );
  }
}

function notFound(project: Project, wanted: string, reports: readonly ReportListing[]): PipelineError {
  requireValidSpecs(project);
  const names = [...new Set(reports.map((report) => report.name))];
  const near = didYouMean(wanted, names);
  const hint = near
    ? `Did you mean ${near}?`
    : names.length > 0
      ? `There are: ${names.join(', ')}.`
      : 'No run has written one yet.';
  return new PipelineError('report_not_found', `There is no report ${wanted}. ${hint}`);
}
