/** Ended runs -> the result files of their own reports and of those that the DAGs which they triggered wrote. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { keySafe } from '../core/object-keys.ts';
import type { RunOutcome } from './follow-run.ts';
import type { Project } from './project.ts';

/** Paths relative to the project root. */
export async function allReportsOfRuns(project: Project, outcomes: readonly RunOutcome[]): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const { instances } of outcomes) {
    for (const { output } of instances) {
      if (output?.kind === 'report')
        paths.push(join(dirname(output.report.runMarkdownPath), `${output.report.name}.results.json`));
      if (output?.kind === 'triggered') paths.push(...(await resultsOf(project, output.dagId, output.runId)));
    }
  }
  return paths;
}

async function resultsOf(project: Project, dagId: string, runId: string): Promise<readonly string[]> {
  const spec = project.dags.find(({ dag }) => dag.id === dagId)?.spec;
  if (!spec) return [];
  const folder = join(spec.reportDir, 'runs', keySafe(dagId), keySafe(runId));
  const names = await readdir(join(project.root, folder)).catch(() => []);
  return names.filter((name) => name.endsWith('.results.json')).map((name) => join(folder, name));
}
