/** A project -> reading control over its runs, straight from the store, whether or not a server runs. */
import { PipelineError } from '../core/errors.ts';
import type { DagRun } from '../core/types.ts';
import type { RunReader } from '../scheduler/run-reader.ts';
import { openReader } from './open-reader.ts';
import { type GlobalFlags, openSettings } from './project.ts';

/** @throws PipelineError `run_not_found` before the first run of the project */
export async function withReader<T>(flags: GlobalFlags, read: (reader: RunReader) => Promise<T>): Promise<T> {
  await using opened = await openReader(await openSettings(flags));
  if (opened === null) {
    throw new PipelineError(
      'run_not_found',
      'Nothing has run in this project yet. Start with: assay run <dag> --date <day>',
    );
  }
  // Awaited here: the store closes when this function ends.
  return await read(opened.reader);
}

/** The run of that id; `latest`: the one that was queued last. */
export async function requireRun(reader: RunReader, dagId: string, runId: string): Promise<DagRun> {
  if (runId !== 'latest') return reader.getRun(dagId, runId);
  const { runs } = await reader.listRuns({ dagId, orderBy: ['-queued_at'], limit: 1 });
  const [newest] = runs;
  if (newest) return newest;
  throw new PipelineError(
    'run_not_found',
    `DAG ${dagId} has no runs yet. Start one with: assay run ${dagId} --date <day>`,
  );
}
