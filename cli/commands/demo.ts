/** `assay demo`: dirty bronze generated, taken to gold through the scheduler, and every planted fault accounted for. */

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { bronzeLocation, type Location, lakeLocation } from '../../config/lake-location.ts';
import { stateFolder, warehouseFile } from '../../config/project-paths.ts';
import { ENVIRONMENTS } from '../../config/setting-keys.ts';
import type { Settings } from '../../config/settings.ts';
import { counted } from '../../core/counted.ts';
import { PipelineError } from '../../core/errors.ts';
import { addDays } from '../../core/partition.ts';
import type { DemoPlan } from '../../demo/demo-plan.ts';
import { readProjectLock } from '../../scheduler/project-lock.ts';
import { startScheduler } from '../app.ts';
import { copyBundled } from '../bundled-files.ts';
import { cloudLines } from '../cloud-account.ts';
import { createLogger } from '../create-logger.ts';
import { accountOfDirt, type DirtLine } from '../demo-account.ts';
import {
  exitCodeOf,
  outcomeLines,
  type RunOutcome,
  runAndFollow,
  type WantedRun,
  wantedRuns,
  watch,
} from '../follow-run.ts';
import { onInterrupt } from '../interrupt.ts';
import { openLake, openStore } from '../lake.ts';
import { type GlobalFlags, openProject, type Project, requireDag } from '../project.ts';
import { connected, runningSandbox, sandboxFolder } from '../sandbox-connection.ts';
import { number } from '../task-words.ts';
import { printLines, table } from '../terminal.ts';
import { noteWarehouse, warehouseStands } from '../warehouse-stands.ts';

interface DemoFlags {
  readonly ordersPerDay: string;
  readonly days: string;
  readonly seed: string;
  readonly reset?: boolean;
}

const PIPELINE = 'ecommerce';
const DAG = 'ecom_silver_to_gold_pipeline';

/** Exit code 0 only where all runs succeed and what was found is what was planted. */
export async function demo(given: GlobalFlags, dir: string | undefined, options: DemoFlags): Promise<void> {
  // The data is dirty on purpose: where gates are strict by default, the first one would end the demo.
  const flags = given.strict ? given : { ...given, warningOnly: true };
  const project = await demoProject(flags, dir);
  const bronzeDir = generatedBronze(project.settings);
  if (options.reset) await reset(project);
  // A sandbox starts while bronze is generated; whether it did is told by whoever needs it first.
  connected(project.settings).catch(() => {});
  const plan = await generate(bronzeDir, options);
  await deliver(project.settings, bronzeDir);
  const outcomes = await runAll(project, plan);
  const { dag } = requireDag(project, DAG);
  const done = outcomes.every(({ run }) => run.state === 'success');
  printLines(['', ...outcomes.flatMap((outcome) => outcomeLines(dag, outcome))]);
  if (!done) {
    process.exitCode = exitCodeOf(outcomes);
    return;
  }
  const account = await accountOfDirt(project, plan, outcomes);
  printLines(['', 'Planted in bronze, and found on the way:', '', ...dirtTable(account), '', closing(account)]);
  if (lakeLocation(project.settings, PIPELINE).kind !== 'local') {
    const lake = await openLake(project.settings, PIPELINE);
    const reached = await cloudLines(
      lake,
      outcomes.flatMap(({ instances }) => instances),
      project.settings.values['bigquery.swap'],
    );
    printLines(['', `What reached the ${project.settings.environment}:`, '', ...reached]);
  }
  printLines(['', ...whereToLook(project)]);
  if (account.some(({ planted, found }) => planted !== found)) process.exitCode = 1;
}

/** The folder itself where it is a project with the reference pipeline, else a copy of the bundled one in it. */
async function demoProject(flags: GlobalFlags, dir: string | undefined): Promise<Project> {
  if (dir === undefined) {
    const project = await openProject(flags).catch((thrown: unknown) => {
      if (thrown instanceof PipelineError && thrown.code === 'project_not_found') {
        throw new PipelineError(
          'project_not_found',
          'This folder is no project. Say where the demo may make one: assay demo ./assay-demo',
        );
      }
      throw thrown;
    });
    requireDag(project, DAG);
    return project;
  }
  const root = resolve(dir);
  await mkdir(root, { recursive: true });
  await copyBundled('specs/ecommerce', root);
  await copyBundled('specs/spec.schema.json', root);
  await copyBundled('config/config.yml', root);
  return openProject({ ...flags, project: root });
}

/** Deletes what earlier demos made; a folder that `BRONZE_BASE_PATH` names is somebody else's and stays. */
async function reset(project: Project): Promise<void> {
  const { settings } = project;
  const holder = readProjectLock(stateFolder(settings));
  if (holder) {
    throw new PipelineError(
      'project_locked',
      `Process ${holder.pid} runs a scheduler on this project${holder.address ? ` (${holder.address})` : ''}. Stop it before --reset.`,
    );
  }
  const lake = lakeLocation(settings, PIPELINE);
  const folders = [...(await ownEntries(settings, stateFolder(settings))), ...(await foldersOf(settings, lake))];
  const bronze = bronzeLocation(settings, PIPELINE);
  if (!addressOf(bronze).startsWith(addressOf(lake))) {
    throw new PipelineError(
      'usage',
      `Bronze lies outside the lake, in ${addressOf(bronze)}: the demo deletes only what it made. Unset BRONZE_BASE_PATH first.`,
    );
  }
  for (const spec of project.specs.filter(({ pipeline }) => pipeline === PIPELINE))
    folders.push(...(await ownEntries(settings, join(project.root, spec.reportDir))));
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

/** What lies in a folder of state or reports, without the folders in it that are other environments'. */
async function ownEntries(settings: Settings, folder: string): Promise<readonly string[]> {
  const others: readonly string[] = ENVIRONMENTS.filter((name) => name !== settings.environment);
  const names = await readdir(folder).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return [];
    throw thrown;
  });
  return names.filter((name) => !others.includes(name)).map((name) => join(folder, name));
}

/** What besides the state holds data of this environment. */
async function foldersOf(settings: Settings, lake: Location): Promise<readonly string[]> {
  if (lake.kind === 'local') return [lake.folder, warehouseFile(settings), `${warehouseFile(settings)}.wal`];
  if (settings.environment !== 'sandbox') {
    throw new PipelineError(
      'usage',
      `The lake lies in ${addressOf(lake)}: the demo deletes nothing from a bucket that others may use. Delete it there, or use --env sandbox.`,
    );
  }
  const folder = sandboxFolder(settings);
  const running = await runningSandbox(folder);
  if (running) {
    throw new PipelineError(
      'project_locked',
      `Process ${running.pid} serves the sandbox on ${running.url}. Stop it before --reset.`,
    );
  }
  return [folder];
}

const addressOf = (location: Location): string =>
  location.kind === 'local'
    ? `${location.folder}/`
    : `${location.kind === 'gcs' ? 'gs' : 's3'}://${location.bucket}/${location.prefix}`;

/** Bronze of the environment, or where it is made before it is brought to a bucket. */
function generatedBronze(settings: Settings): string {
  const location = bronzeLocation(settings, PIPELINE);
  return location.kind === 'local' ? location.folder : join(stateFolder(settings), 'demo', 'bronze');
}

/** Where bronze lies in a bucket: uploads what is not there yet. */
async function deliver(given: Settings, bronzeDir: string): Promise<void> {
  const location = bronzeLocation(given, PIPELINE);
  if (location.kind === 'local') return;
  const settings = await connected(given);
  const { uploadFolder } = await import('../../storage/upload-folder.ts');
  const store = await openStore(settings, location);
  const { objects, sizeBytes } = await uploadFolder(store, bronzeDir);
  process.stderr.write(
    `Bronze is in ${store.displayName}: ${counted(objects, 'object')} uploaded, ${counted(sizeBytes, 'byte')}.\n`,
  );
}

async function generate(bronzeDir: string, options: DemoFlags): Promise<DemoPlan> {
  const { generateDemo } = await import('../../demo/generate-demo.ts');
  const numberOf = (flag: string, text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0) return value;
    throw new PipelineError('usage', `${flag} takes a whole number, not "${text}".`);
  };
  const days = numberOf('--days', options.days);
  const ordersPerDay = numberOf('--orders-per-day', options.ordersPerDay);
  process.stderr.write(
    `Generating ${counted(days, 'day')} of bronze, about ${counted(ordersPerDay, 'order')} a day …\n`,
  );
  return generateDemo({
    bronzeDir,
    days,
    ordersPerDay,
    seed: numberOf('--seed', options.seed),
  });
}

/** All days but the last as one run, then the last as a daily run; stops after a run that did not succeed. */
async function runAll(project: Project, plan: DemoPlan): Promise<readonly RunOutcome[]> {
  const version = requireDag(project, DAG);
  const { dag } = version;
  const history =
    plan.days > 1 ? wantedRuns(dag, { from: plan.firstDay, to: addDays(plan.lastDay, -1), asOneRun: true }) : [];
  const daily = wantedRuns(dag, { date: plan.lastDay });
  const wanted: readonly WantedRun[] = [...history, ...daily];
  await using running = await startScheduler(project, { schedules: false, log: createLogger('warn') });
  using _interrupt = onInterrupt(running.scheduler, 'Run the demo again to go on where it stopped.');
  using _watching = await watch(running.scheduler, project);
  const outcomes: RunOutcome[] = [];
  for (const one of wanted) {
    const outcome = await runAndFollow(running.scheduler, DAG, one, {
      isUnchanged: async (before) =>
        warehouseStands(project, version, before, await running.scheduler.listTaskInstances(DAG, before.runId)),
    });
    outcomes.push(outcome);
    if (outcome.run.state !== 'success') break;
  }
  await noteWarehouse(project, version, outcomes.at(-1));
  return outcomes;
}

function dirtTable(account: readonly DirtLine[]): string[] {
  return table(
    ['table', 'fault', 'planted', 'found', ''],
    account.map(({ table: name, fault, planted, found }) => [
      name,
      fault,
      number(planted),
      number(found),
      planted === found ? '✔' : '✘ differs',
    ]),
  );
}

function closing(account: readonly DirtLine[]): string {
  const planted = account.reduce((sum, line) => sum + line.planted, 0);
  const wrong = account.filter((line) => line.planted !== line.found);
  return wrong.length === 0
    ? `All ${number(planted)} planted faults of ${account.length} kinds were found, and nothing else.`
    : `${wrong.length} kinds differ between what was planted and what was found. Please report this.`;
}

function whereToLook(project: Project): readonly string[] {
  const { settings } = project;
  const lake = lakeLocation(settings, PIPELINE);
  const environment = settings.environment === 'local' ? '' : ` --env ${settings.environment}`;
  const spec = project.specs.find(({ pipeline }) => pipeline === PIPELINE);
  const reports = join(project.root, spec?.reportDir ?? '');
  const here = (path: string): string => relative(process.cwd(), path) || '.';
  const { 'server.host': host, 'server.port': port } = project.settings.values;
  return [
    `reports    ${here(reports)}/SILVER_QUALITY.md (and BRONZE_, DIMS_SNAPSHOT_, ENRICHED_, GOLD_)`,
    ...(project.root === process.cwd() ? [] : [`project    cd ${here(project.root)}`]),
    `gold       assay query${environment} "select * from gold.fct_daily_dashboard order by metric_date"`,
    `tables     assay ls${environment}        versions   assay versions silver${environment}`,
    `quarantine ${lake.kind === 'local' ? `${here(lake.folder)}/` : addressOf(lake)}quarantine/`,
    `warehouse  ${settings.values['warehouse.kind'] === 'duckdb' ? here(warehouseFile(settings)) : 'BigQuery'}`,
    `server     assay server${environment}, then http://${host}:${port}`,
  ];
}
