/** The report folder of a pipeline -> its reports: the newest of each name, and the copies of all runs. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type GateMode, LAYERS, type Layer, type Verdict } from '../../core/types.ts';
import { compareText } from '../measured-result.ts';
import { newestRunFolders, type ReportPlace, runFolder } from './earlier-report.ts';
import { digestOf } from './render-results.ts';

export interface ReportEntry {
  readonly name: string;
  readonly pipeline: string;
  readonly layer: Layer;
  readonly verdict: Verdict;
  readonly mayPublish: boolean;
  readonly blockedBy: readonly string[];
  readonly mode: GateMode;
  readonly interval: { readonly from: string; readonly to: string };
  readonly digest: string;
  /** Relative to the project root, as is `resultsPath`. */
  readonly markdownPath: string;
  readonly resultsPath: string;
}

export interface RunReportEntry extends ReportEntry {
  readonly dagId: string;
  readonly runId: string;
}

export interface NewestReport extends ReportEntry {
  /** The run whose copy has the same bytes; the newest interval's where several have. Null where that copy was deleted. */
  readonly run: { readonly dagId: string; readonly runId: string } | null;
}

export interface ReportListing extends NewestReport {
  /** Newest interval first, then by run id, descending. */
  readonly runs: readonly RunReportEntry[];
}

const resultsShape = z.object({
  formatVersion: z.literal(1),
  name: z.string(),
  pipeline: z.string(),
  layer: z.enum(LAYERS),
  interval: z.object({ from: z.string(), to: z.string() }),
  mode: z.enum(['strict', 'warning-only']),
  decision: z.object({
    verdict: z.enum(['PASS', 'WARN', 'FAIL']),
    mayPublish: z.boolean(),
    blockedBy: z.array(z.string()),
  }),
});

const provenanceShape = z.object({ dag_id: z.string(), run_id: z.string() });

const RESULTS = '.results.json';

/** The newest of each name. Cost: these files and a run's copies for each, however many runs there were. */
export async function readNewestReports(place: ReportPlace): Promise<readonly NewestReport[]> {
  const entries = await entriesIn(place.root, place.reportDir);
  return Promise.all(entries.map(async (entry) => ({ ...entry, run: await writerOf(place, entry) })));
}

/** The run that the newest interval names; where its copy has other bytes (an hour was run again, the day shown is its), any that has these. */
async function writerOf(place: ReportPlace, { name, digest }: ReportEntry): Promise<NewestReport['run']> {
  for (const folder of await newestRunFolders(place, name)) {
    const copy = (await runEntries(place.root, folder)).find((entry) => entry.name === name && entry.digest === digest);
    if (copy) return { dagId: copy.dagId, runId: copy.runId };
  }
  return (await readReports(place.root, place.reportDir)).find((report) => report.name === name)?.run ?? null;
}

/** The copies of one run. */
export async function readRunReports(
  place: ReportPlace,
  dagId: string,
  runId: string,
): Promise<readonly RunReportEntry[]> {
  const entries = await runEntries(place.root, runFolder(place, dagId, runId));
  return entries.filter((entry) => entry.dagId === dagId && entry.runId === runId);
}

/** By name. A folder that is not there yet has no reports; a file that is no report is passed over. Reads the copies of all runs. */
export async function readReports(root: string, reportDir: string): Promise<readonly ReportListing[]> {
  const newest = await entriesIn(root, reportDir);
  const runs: RunReportEntry[] = [];
  for (const dag of await namesIn(join(root, reportDir, 'runs'))) {
    for (const run of await namesIn(join(root, reportDir, 'runs', dag))) {
      runs.push(...(await runEntries(root, join(reportDir, 'runs', dag, run))));
    }
  }
  return newest.map((entry) => {
    const own = runs
      .filter((run) => run.name === entry.name)
      .sort((a, b) => compareText(b.interval.to, a.interval.to) || compareText(b.runId, a.runId));
    const same = own.find((run) => run.digest === entry.digest);
    return { ...entry, run: same ? { dagId: same.dagId, runId: same.runId } : null, runs: own };
  });
}

async function runEntries(root: string, runDir: string): Promise<RunReportEntry[]> {
  const provenance = provenanceShape.safeParse(await readJson(join(root, runDir, 'provenance.json')));
  if (!provenance.success) return [];
  const { dag_id: dagId, run_id: runId } = provenance.data;
  return (await entriesIn(root, runDir)).map((entry) => ({ ...entry, dagId, runId }));
}

async function entriesIn(root: string, folder: string): Promise<ReportEntry[]> {
  const entries: ReportEntry[] = [];
  for (const file of (await namesIn(join(root, folder))).filter((name) => name.endsWith(RESULTS))) {
    const text = await readFile(join(root, folder, file), 'utf8').catch(() => '');
    const parsed = resultsShape.safeParse(jsonOf(text));
    if (!parsed.success || `${parsed.data.name}${RESULTS}` !== file) continue;
    const { decision, interval, layer, mode, name, pipeline } = parsed.data;
    entries.push({
      name,
      pipeline,
      layer,
      mode,
      interval,
      ...decision,
      digest: digestOf(text),
      markdownPath: join(folder, `${name}.md`),
      resultsPath: join(folder, file),
    });
  }
  return entries;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).sort(compareText);
}

async function readJson(path: string): Promise<unknown> {
  return jsonOf(await readFile(path, 'utf8').catch(() => ''));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
