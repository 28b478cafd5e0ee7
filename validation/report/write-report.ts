/** A Report and where it came from -> its files: a copy for the run, and the newest under the report's own name. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { isoInstant } from '../../core/partition.ts';
import type { RunFacts } from '../../core/ports.ts';
import type { Report, ReportRef } from '../../core/types.ts';
import { intervalEntry, type ReportPlace, runFolder } from './earlier-report.ts';
import { renderHtml } from './render-html.ts';
import { renderJUnit } from './render-junit.ts';
import { renderMarkdown, reportTitle } from './render-markdown.ts';
import { digestOf, renderResults } from './render-results.ts';

const shown = z.object({ interval: z.object({ from: z.string(), to: z.string() }) });

/**
 * Writes `runs/<dag>/<run>/<NAME>.{md,html,results.json,junit.xml}` with `provenance.json`, and under `intervals/` which run that was;
 * then `<NAME>.md` and `<NAME>.results.json` with the newest run's `provenance.json`; those only where this interval is not older than
 * the one they show. Each file by rename, so that a reader never sees half of one. Writing the same report again gives the same bytes.
 */
export async function writeReport(place: ReportPlace, report: Report, run: RunFacts): Promise<ReportRef> {
  const runDir = runFolder(place, run.dagId, run.runId);
  const markdown = renderMarkdown(report);
  const results = renderResults(report);
  const write = (path: string, text: string) => replaceFile(join(place.root, path), text);
  await write(join(runDir, `${report.name}.md`), markdown);
  await write(join(runDir, `${report.name}.html`), renderHtml(reportTitle(report), markdown));
  await write(join(runDir, `${report.name}.junit.xml`), renderJUnit(report));
  await write(join(runDir, `${report.name}.results.json`), results);
  await write(join(runDir, 'provenance.json'), provenance(run));
  const entry = intervalEntry(place, report.name, run);
  await write(entry.path, entry.text);
  if (await isNewest(place, report)) {
    await write(join(place.reportDir, `${report.name}.md`), markdown);
    await write(join(place.reportDir, `${report.name}.results.json`), results);
    await write(join(place.reportDir, 'provenance.json'), provenance(run));
  }
  return {
    name: report.name,
    digest: digestOf(results),
    decision: report.decision,
    markdownPath: join(place.reportDir, `${report.name}.md`),
    runMarkdownPath: join(runDir, `${report.name}.md`),
    resultsPath: join(runDir, `${report.name}.results.json`),
  };
}

/** The one file that names run and times. */
function provenance(run: RunFacts): string {
  const document = {
    format_version: 1,
    dag_id: run.dagId,
    run_id: run.runId,
    run_date: run.runDate,
    data_interval_start: isoInstant(run.interval.startMs),
    data_interval_end: isoInstant(run.interval.endMs),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** A report that does not read any more is no reason to keep a newer one back. */
async function isNewest(place: ReportPlace, report: Report): Promise<boolean> {
  const path = join(place.root, place.reportDir, `${report.name}.results.json`);
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return true;
  const parsed = parseShown(text);
  if (parsed === null) return true;
  const { from, to } = parsed.interval;
  return report.interval.to > to || (report.interval.to === to && report.interval.from >= from);
}

function parseShown(text: string): z.infer<typeof shown> | null {
  try {
    return shown.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
}
