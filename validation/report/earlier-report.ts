/** A run's interval -> the report that the same DAG wrote under the same name for the newest interval before it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { keySafe } from '../../core/object-keys.ts';
import { isoInstant } from '../../core/partition.ts';
import type { RunFacts } from '../../core/ports.ts';
import type { Interval, JsonObject } from '../../core/types.ts';
import { compareText } from '../measured-result.ts';
import type { ComparedReport } from './compare-reports.ts';

export interface ReportPlace {
  /** Project root. */
  readonly root: string;
  /** Folder of the pipeline's reports, relative to the root. */
  readonly reportDir: string;
}

type Run = Pick<RunFacts, 'dagId' | 'runId' | 'interval'>;

const comparedShape = z.object({
  formatVersion: z.literal(1),
  interval: z.object({ from: z.string(), to: z.string() }),
  mode: z.enum(['strict', 'warning-only']),
  decision: z.object({
    verdict: z.enum(['PASS', 'WARN', 'FAIL']),
    mayPublish: z.boolean(),
    accepted: z.object({ held: z.array(z.string()) }).optional(),
  }),
  settings: z.record(z.string(), z.json()),
  results: z.array(
    z.object({
      table: z.string(),
      checkId: z.string(),
      state: z.enum(['PASS', 'WARN', 'FAIL', 'NOT EVALUATED']),
      expected: z.string(),
      observed: z.string(),
    }),
  ),
});

const entryShape = z.object({ run: z.string().regex(/^[A-Za-z0-9._=-]+$/) });

/**
 * An interval that ends after this one begins is never taken, so that a rerun compares with what its first run compared with, and
 * not with itself. Cost: the names of one folder, with an entry an interval, and two files.
 */
export async function readEarlierReport(
  place: ReportPlace,
  name: string,
  run: Run,
): Promise<ComparedReport | { readonly because: string }> {
  const folder = entryFolder(place, name, run.dagId);
  const own = entryName(run.interval);
  const start = keySafe(isoInstant(run.interval.startMs));
  const newest = (await namesIn(folder)).filter((entry) => entry !== own).findLast((entry) => endOf(entry) <= start);
  if (newest === undefined) return { because: `no earlier interval of \`${run.dagId}\` has a \`${name}\`.` };
  const entry = entryShape.safeParse(await jsonFile(join(folder, newest)));
  const path = join(runFolder(place, run.dagId, entry.data?.run ?? ''), `${name}.results.json`);
  const results = comparedShape.safeParse(entry.success ? await jsonFile(join(place.root, path)) : null);
  if (results.success) return { ...results.data, settings: results.data.settings as JsonObject };
  return {
    because: `the report before this one, of the interval that ended at ${endOf(newest)}, is gone or does not read.`,
  };
}

/** The copies of one run, relative to the root. */
export function runFolder({ reportDir }: ReportPlace, dagId: string, runId: string): string {
  return join(reportDir, 'runs', keySafe(dagId), keySafe(runId));
}

/** Folders of the runs that wrote this report for the newest interval of each DAG, relative to the root. */
export async function newestRunFolders(place: ReportPlace, name: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const dagId of await namesIn(join(place.root, place.reportDir, 'intervals'))) {
    const folder = entryFolder(place, name, dagId);
    const entry = entryShape.safeParse(await jsonFile(join(folder, (await namesIn(folder)).at(-1) ?? '')));
    if (entry.success) found.push(runFolder(place, dagId, entry.data.run));
  }
  return found;
}

/** Where the run that wrote the report of an interval is named, relative to the root, and what stands there. */
export function intervalEntry(
  place: ReportPlace,
  name: string,
  run: Run,
): { readonly path: string; readonly text: string } {
  return {
    path: join(entryFolder({ ...place, root: '' }, name, run.dagId), entryName(run.interval)),
    text: `${JSON.stringify({ format_version: 1, run: keySafe(run.runId) }, null, 2)}\n`,
  };
}

function entryFolder({ root, reportDir }: ReportPlace, name: string, dagId: string): string {
  return join(root, reportDir, 'intervals', keySafe(dagId), name);
}

/** `2025-10-05T00-00-00.000Z_2025-10-04T00-00-00.000Z.json`: the end first, so that names are in order of the ends. */
function entryName({ startMs, endMs }: Interval): string {
  return `${[endMs, startMs].map((ms) => keySafe(isoInstant(ms))).join('_')}.json`;
}

function endOf(entry: string): string {
  return entry.split('_')[0] ?? '';
}

/** Sorted; drafts of files are left out. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => !name.endsWith('.tmp')).sort(compareText);
}

/** Null where there is none, or none that reads. */
async function jsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}
