/** Base silver of the demo at about 100,000 orders: Assay's builds against SQL written by hand for the same files. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLake } from '../cli/lake.ts';
import { bronzeLocation } from '../config/lake-location.ts';
import { readSettings } from '../config/settings.ts';
import { intervalOfDays } from '../core/partition.ts';
import type { TaskContext, TaskHandler } from '../core/ports.ts';
import type { Task, TaskOutput } from '../core/types.ts';
import { compileDags } from '../dags/compile-dag.ts';
import { readSpec } from '../dags/read-specs.ts';
import { generateDemo } from '../demo/generate-demo.ts';
import { DuckDbSession } from '../engine/duckdb-session.ts';
import { packageRoot } from '../test/fixtures-support/package-root.ts';
import { createBuildSilverHandler } from '../transforms/base/run-base.ts';
import { createPinBronzeHandler } from '../transforms/bronze/pin-bronze.ts';
import { HAND_WRITTEN, handWrittenStatements } from './hand-written-silver.ts';
import { printFigures, timeMs } from './measure.ts';

const RUNS = 3;
const DAYS = 14;
const ORDERS_PER_DAY = Math.round(100_000 / DAYS);
const LIMITS = { memoryLimit: '1GB', threads: 2 };

export async function bench(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    const bronzeDir = join(base, 'bronze');
    const generated = await timeMs(() => generateDemo({ bronzeDir, days: DAYS, ordersPerDay: ORDERS_PER_DAY }));
    const ours: number[] = [];
    const byHand: number[] = [];
    const counts: string[] = [];
    for (let at = 0; at < RUNS; at += 1) {
      const folder = join(base, `run-${at}`);
      let good: Readonly<Record<string, number>> = {};
      let expected: Readonly<Record<string, number>> = {};
      byHand.push(await timeMs(async () => (expected = await runByHand(bronzeDir, join(folder, 'hand')))));
      ours.push(await timeMs(async () => (good = await runAssay(bronzeDir, folder))));
      counts.push(...HAND_WRITTEN.map(({ table }) => table).filter((table) => good[table] !== expected[table]));
      if (at === 0)
        process.stdout.write(`  rows: ${HAND_WRITTEN.map(({ table }) => `${table} ${good[table]}`).join(', ')}\n`);
      await rm(folder, { recursive: true, force: true });
    }
    printFigures([
      { label: 'generate the demo', values: [generated], unit: 'ms' },
      { label: 'SQL by hand', values: byHand, unit: 'ms' },
      {
        label: 'pin and build, with quarantine, row accounts and checksums',
        values: ours,
        unit: 'ms',
        target: '≤ 1.15 ×',
      },
    ]);
    const same =
      counts.length === 0
        ? 'the same good rows in all tables'
        : `DIFFERENT good rows in ${[...new Set(counts)].join(', ')}`;
    const ratios = ours.map((value, at) => value / (byHand[at] ?? Number.NaN)).sort((a, b) => a - b);
    process.stdout.write(
      `  ratio ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; ${same}; peak of this process ${Math.round(process.resourceUsage().maxRSS / 1024)} MB\n`,
    );
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function runByHand(bronze: string, target: string): Promise<Readonly<Record<string, number>>> {
  await mkdir(target, { recursive: true });
  const good: Record<string, number> = {};
  await using session = await DuckDbSession.open({ ...LIMITS, tempDir: join(target, 'spill') });
  for (const one of HAND_WRITTEN) {
    for (const statement of handWrittenStatements(one, bronze, target)) await session.run(statement);
    good[one.table] = Number((await session.one('SELECT count(*) AS rows FROM scored WHERE place = 1')).rows);
  }
  return good;
}

async function runAssay(bronzeDir: string, folder: string): Promise<Readonly<Record<string, number>>> {
  const root = packageRoot();
  const settings = await readSettings({
    root,
    env: {},
    flags: { 'lake.base_path': join(folder, 'lake'), 'lake.bronze.base_path': bronzeDir },
  });
  const location = bronzeLocation(settings, 'ecommerce');
  if (location.kind !== 'local' || location.folder !== bronzeDir) throw new Error('bronze lies elsewhere');
  const { spec } = readSpec({ root, folder: 'specs/ecommerce', environment: 'local', env: {} });
  const lake = await openLake(settings, spec.pipeline);
  const deps = { publications: lake.publications, strictForeignKeys: false };
  const pin = createPinBronzeHandler({ ...deps, bronze: lake.bronzeStore });
  const build = createBuildSilverHandler({ ...deps, bronze: lake.bronzeFiles, lake: lake.files, duckdb: LIMITS });
  const good: Record<string, number> = {};
  const outputs: Record<string, TaskOutput> = {};
  for (const dag of compileDags(spec)) {
    for (const task of dag.tasks) {
      const handler = handlerOf(task, pin, build);
      if (!handler) continue;
      const output = await runTask(handler, await contextOf(task, folder, spec, outputs));
      outputs[task.id] = output;
      if (output.kind === 'staged') good[output.staged.table] = output.staged.account.output;
    }
  }
  return good;
}

async function runTask(handler: TaskHandler, context: TaskContext): Promise<TaskOutput> {
  return handler(context);
}

function handlerOf(task: Task, pin: TaskHandler, build: TaskHandler): TaskHandler | null {
  if (task.kind === 'pin' && task.layer === 'bronze') return pin;
  return task.kind === 'build' && task.layer === 'silver' ? build : null;
}

async function contextOf(
  task: Task,
  folder: string,
  spec: TaskContext['spec'],
  outputs: Readonly<Record<string, TaskOutput>>,
): Promise<TaskContext> {
  const tempDir = join(folder, 'tmp', task.id);
  await mkdir(tempDir, { recursive: true });
  const silent = (): void => {};
  const interval = intervalOfDays('2025-10-01', '2025-10-14', 'UTC');
  return {
    spec,
    task,
    run: { dagId: 'bench', runId: 'bench', interval, firstDay: '2025-10-01', runDate: '2025-10-14', conf: {} },
    tryNumber: 1,
    outputs,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    signal: new AbortController().signal,
    tempDir,
    holdTimeout: () => {},
  };
}
