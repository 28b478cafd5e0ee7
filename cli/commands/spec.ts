/** `assay spec validate` and `assay spec schema`. */
import { environmentVariables } from '../../config/settings.ts';
import { PipelineError, SpecError, type SpecIssue } from '../../core/errors.ts';
import { compileDags } from '../../dags/compile-dag.ts';
import { readSpec } from '../../dags/read-specs.ts';
import { listSpecFolders } from '../../dags/spec-files.ts';
import { findRoot, type GlobalFlags, openSettings } from '../project.ts';
import { renderIssues } from '../report-error.ts';
import { printJson, printLines } from '../terminal.ts';

/** Exit code 3 where any spec has an error; warnings and notes do not count. */
export async function validate(
  flags: GlobalFlags,
  folders: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  const root = findRoot(flags);
  const settings = await openSettings(flags, root);
  const chosen = folders.length > 0 ? folders.map((folder) => relativeTo(root, folder)) : listSpecFolders(root);
  if (chosen.length === 0)
    throw new PipelineError('spec_invalid', 'There is no spec folder below specs/. Make one with: assay init');
  const results: { folder: string; issues: readonly SpecIssue[]; valid: boolean; says: string }[] = [];
  for (const folder of chosen) {
    try {
      const { spec, issues } = readSpec({
        root,
        folder,
        environment: settings.environment,
        env: environmentVariables(),
      });
      const dags = compileDags(spec);
      const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
      const tasks = dags.reduce((sum, dag) => sum + dag.tasks.length, 0);
      const says = [
        count(spec.tables.length, 'table'),
        count(spec.dims.length, 'dim'),
        count(spec.transforms.length, 'transform'),
        count(spec.marts.length, 'mart'),
        `${count(dags.length, 'DAG')} with ${count(tasks, 'task')}`,
      ].join(', ');
      results.push({ folder, issues, valid: true, says });
    } catch (thrown) {
      if (!(thrown instanceof SpecError)) throw thrown;
      results.push({ folder, issues: thrown.issues, valid: false, says: '' });
    }
  }
  if (options.json) printJson(results.map(({ folder, issues, valid }) => ({ folder, valid, issues })));
  else
    for (const { folder, issues, valid, says } of results) {
      if (issues.length > 0) printLines([renderIssues(issues)]);
      printLines([`${folder}: ${valid ? `valid: ${says}` : 'not valid'}`]);
    }
  if (results.some(({ valid }) => !valid)) process.exitCode = 3;
}

export async function schema(): Promise<void> {
  const { specJsonSchemaText } = await import('../../dags/spec-json-schema.ts');
  process.stdout.write(specJsonSchemaText());
}

function relativeTo(root: string, folder: string): string {
  const trimmed = folder.replace(/\/+$/, '');
  return trimmed.startsWith(`${root}/`) ? trimmed.slice(root.length + 1) : trimmed;
}
