/** Flags -> the project they mean: its root, settings, specs and DAGs. Loads no engine. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { reportFolder, stateFolder } from '../config/project-paths.ts';
import { environmentVariables, readSettings, type Settings } from '../config/settings.ts';
import { PipelineError, SpecError, type SpecIssue } from '../core/errors.ts';
import type { Spec } from '../core/spec.ts';
import { compileSpec, type SpecMemory } from '../dags/compile-spec.ts';
import { listSpecFolders } from '../dags/spec-files.ts';
import type { DagVersion } from '../scheduler/store/run-store.ts';
import { buildStamp } from './bundled-files.ts';

/** Options that stand before or after any command. */
export interface GlobalFlags {
  readonly project?: string;
  readonly env?: string;
  readonly strict?: boolean;
  readonly warningOnly?: boolean;
  /** `key=value` */
  readonly set?: readonly string[];
}

export interface FolderIssues {
  /** `specs/ecommerce` */
  readonly folder: string;
  readonly issues: readonly SpecIssue[];
}

export interface Project {
  readonly root: string;
  readonly settings: Settings;
  readonly specs: readonly Spec[];
  readonly dags: readonly DagVersion[];
  /** Faults of specs that did not compile, and notes on those that did. */
  readonly issues: readonly FolderIssues[];
}

/**
 * The nearest folder at or above the current one that holds `specs/`.
 *
 * @throws PipelineError `project_not_found`
 */
export function findRoot(flags: GlobalFlags): string {
  const named = flags.project ?? environmentVariables().ASSAY_PROJECT;
  if (named !== undefined && named !== '') {
    const root = resolve(named);
    if (existsSync(join(root, 'specs'))) return root;
    throw new PipelineError(
      'project_not_found',
      `${named} has no specs/ folder. Make a project there with: assay init ${named}`,
    );
  }
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'specs'))) return folder;
    if (dirname(folder) === folder) break;
  }
  throw new PipelineError(
    'project_not_found',
    'Neither this folder nor any above it has a specs/ folder. Go to a project, name one with --project, or make one with: assay init',
  );
}

/** @throws PipelineError `project_not_found`, `setting_invalid`, `usage` */
export async function openSettings(flags: GlobalFlags, root: string = findRoot(flags)): Promise<Settings> {
  return readSettings({ root, flags: settingFlags(flags) });
}

/**
 * Reads settings and all specs. One broken spec does not keep the others from running; `issues` names its faults. With the
 * `memory` of an earlier call, only what was edited since is compiled.
 *
 * @throws PipelineError `project_not_found`, `setting_invalid`
 */
export async function openProject(
  flags: GlobalFlags,
  root: string = findRoot(flags),
  memory: SpecMemory = new Map(),
): Promise<Project> {
  const settings = await openSettings(flags, root);
  const options = { root, environment: settings.environment, env: environmentVariables(), build: buildStamp(), memory };
  const specs: Spec[] = [];
  const dags: DagVersion[] = [];
  const issues: FolderIssues[] = [];
  for (const folder of listSpecFolders(root)) {
    try {
      const cacheFile = join(stateFolder(settings), 'specs', `${basename(folder)}.json`);
      const compiled = await compileSpec({ ...options, folder, cacheFile });
      const spec = withReportFolder(compiled.spec, settings);
      specs.push(spec);
      dags.push(...compiled.dags.map((dag) => ({ dag, spec })));
      issues.push({ folder, issues: compiled.issues });
    } catch (thrown) {
      if (!(thrown instanceof SpecError)) throw thrown;
      issues.push({ folder, issues: thrown.issues });
    }
  }
  assertDistinct(dags);
  return { root, settings, specs, dags, issues };
}

/** @throws SpecError with the faults of every spec that did not compile */
export function requireValidSpecs(project: Project): void {
  const faults = project.issues.flatMap(({ issues }) => issues).filter((issue) => issue.severity === 'error');
  if (faults.length > 0) throw new SpecError(faults);
}

/** The DAG of that name; where its spec did not compile, the faults of it. */
export function requireDag(project: Project, dagId: string): DagVersion {
  const found = project.dags.find(({ dag }) => dag.id === dagId);
  if (found) return found;
  requireValidSpecs(project);
  const known = project.dags.map(({ dag }) => dag.id).join(', ') || 'none';
  throw new PipelineError('dag_not_found', `There is no DAG "${dagId}". This project has: ${known}.`);
}

/** The pipeline that a command means: the named one, or the only one. */
export function requirePipeline(project: Project, name: string | undefined): Spec {
  if (name !== undefined) {
    const found = project.specs.find((spec) => spec.pipeline === name);
    if (found) return found;
    requireValidSpecs(project);
    throw new PipelineError('usage', `There is no pipeline "${name}". This project has: ${namesOf(project)}.`);
  }
  const [only, ...more] = project.specs;
  if (only && more.length === 0) return only;
  requireValidSpecs(project);
  throw new PipelineError(
    'usage',
    `Say which pipeline is meant with --pipeline. This project has: ${namesOf(project)}.`,
  );
}

const namesOf = (project: Project): string => project.specs.map((spec) => spec.pipeline).join(', ') || 'none';

function withReportFolder(spec: Spec, settings: Settings): Spec {
  const folder = reportFolder(settings, spec);
  const below = folder.startsWith(`${settings.root}/`) ? folder.slice(settings.root.length + 1) : folder;
  return below === spec.reportDir ? spec : { ...spec, reportDir: below };
}

function assertDistinct(dags: readonly DagVersion[]): void {
  const byId = new Map<string, DagVersion>();
  for (const version of dags) {
    const other = byId.get(version.dag.id);
    if (other) {
      throw new PipelineError(
        'spec_invalid',
        `Two pipelines declare a DAG "${version.dag.id}": ${other.dag.sourceFile} and ${version.dag.sourceFile}. Rename one.`,
      );
    }
    byId.set(version.dag.id, version);
  }
}

function settingFlags(flags: GlobalFlags): Record<string, string> {
  const settings: Record<string, string> = {};
  if (flags.env !== undefined) settings.environment = flags.env;
  if (flags.strict && flags.warningOnly) {
    throw new PipelineError('usage', '--strict and --warning-only say the opposite of each other. Give one of them.');
  }
  if (flags.strict) Object.assign(settings, { gates: 'strict', strict_foreign_keys: 'true' });
  if (flags.warningOnly) Object.assign(settings, { gates: 'warning-only', strict_foreign_keys: 'false' });
  for (const pair of flags.set ?? []) {
    const at = pair.indexOf('=');
    if (at <= 0)
      throw new PipelineError('usage', `--set takes key=value, not "${pair}". assay config show lists the keys.`);
    settings[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return settings;
}
