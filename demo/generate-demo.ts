/** Size and seed -> eight bronze tables of an online shop on disk, and a plan of the dirt in them. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { addDays, isDay } from '../core/partition.ts';
import type { Logger } from '../core/ports.ts';
import { DuckDbSession } from '../engine/duckdb-session.ts';
import { BRONZE_TABLES, isLookup, TABLE_NAMES } from './bronze-tables.ts';
import type { Place } from './choose-places.ts';
import { type DemoPlan, type Planted, parseDemoPlan, renderDemoPlan } from './demo-plan.ts';
import { plantDirt } from './plant-dirt.ts';
import { type ShopSize, shopStatements } from './shop-sql.ts';
import { writeBronze } from './write-bronze.ts';

export interface DemoOptions {
  /** Absolute path of the folder that will hold `<table>/`. */
  readonly bronzeDir: string;
  /** Default 2025-10-01. */
  readonly firstDay?: string;
  /** Default 14. */
  readonly days?: number;
  /** Default 200; a day has up to 15 % more or fewer. */
  readonly ordersPerDay?: number;
  /** Default 42. */
  readonly seed?: number;
  /** DuckDB's limit while it generates; default 1GB, beyond which it spills beside the bronze folder. */
  readonly memoryLimit?: string;
  readonly log?: Logger;
  readonly signal?: AbortSignal;
}

/** Where the plan of a demo lies. */
export const demoPlanPath = (bronzeDir: string): string => join(dirname(bronzeDir), 'demo-plan.json');

/**
 * Whole or not at all: it works in a folder beside the target and takes its name at the end. Where the same demo lies there
 * already, nothing is written and its plan is returned. Same options, same bytes, in any time zone.
 *
 * @throws PipelineError `usage` for a size that makes no sense, or where the folder holds something else
 */
export async function generateDemo(options: DemoOptions): Promise<DemoPlan> {
  const size = sizeOf(options);
  const { bronzeDir, log } = options;
  const found = await existingDemo(bronzeDir, size);
  if (found) return found;

  const workDir = `${bronzeDir}.demo`;
  await rm(workDir, { recursive: true, force: true });
  await mkdir(join(workDir, 'bronze'), { recursive: true });
  try {
    log?.info(`generating ${size.days} days of bronze, about ${size.ordersPerDay} orders a day`, { ...size });
    const plan = await generate(options, size, workDir);
    // The plan first: bronze without plan would be taken for somebody else's.
    await writeFile(join(workDir, 'plan.json'), renderDemoPlan(plan));
    await rename(join(workDir, 'plan.json'), demoPlanPath(bronzeDir));
    await rename(join(workDir, 'bronze'), bronzeDir);
    return plan;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function generate(options: DemoOptions, size: ShopSize, workDir: string): Promise<DemoPlan> {
  await using session = await DuckDbSession.open({
    tempDir: join(workDir, 'spill'),
    ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  for (const statement of shopStatements(size)) await session.run(statement);
  const places = await plantDirt(session, size);
  const plan = await planOf(session, size, places);
  await session.run('SET threads = 1');
  for (const table of TABLE_NAMES) {
    await writeBronze(session, BRONZE_TABLES[table], size, join(workDir, 'bronze'));
    options.log?.info(`${table} written`, { table });
  }
  return plan;
}

async function planOf(session: DuckDbSession, size: ShopSize, places: readonly Place[]): Promise<DemoPlan> {
  const tables: [string, DemoPlan['tables'][keyof DemoPlan['tables']]][] = [];
  const dayAt = (index: number): string => addDays(size.firstDay, index);
  for (const table of TABLE_NAMES) {
    const counts = await session.rows(
      `SELECT __day AS day, count(*) AS rows, count(*) FILTER (__late) AS late FROM delivered_${table} GROUP BY ALL ORDER BY day`,
    );
    const late = counts.flatMap(({ day, late }): Planted[] =>
      Number(late) > 0 && !isLookup(table) ? [{ kind: 'late', day: dayAt(Number(day)), rows: Number(late) }] : [],
    );
    tables.push([
      table,
      {
        rows: Object.fromEntries(counts.map(({ day, rows }) => [dayAt(Number(day)), Number(rows)])),
        planted: [
          ...summarize(
            places.filter(({ fault }) => fault.table === table),
            dayAt,
          ),
          ...late,
        ],
      },
    ]);
  }
  return {
    formatVersion: 1,
    ...size,
    lastDay: dayAt(size.days - 1),
    tables: Object.fromEntries(tables) as DemoPlan['tables'],
  };
}

/** Rows of one fault and day as one entry. */
function summarize(places: readonly Place[], dayAt: (index: number) => string): readonly Planted[] {
  const entries = new Map<string, Planted>();
  for (const place of places) {
    const entry = plantedOf(place, dayAt);
    const { rows: _rows, ...what } = entry;
    const key = JSON.stringify(what);
    entries.set(key, { ...entry, rows: (entries.get(key)?.rows ?? 0) + 1 });
  }
  return [...entries.values()];
}

function plantedOf({ fault, fromDay, day: index }: Place, dayAt: (index: number) => string): Planted {
  const { effect } = fault;
  const day = dayAt(index);
  switch (effect.kind) {
    case 'quarantined':
      return { kind: 'quarantined', reasons: [...effect.reasons], day, rows: 1 };
    case 'duplicate':
      return { kind: 'duplicate', reason: effect.reason, firstDay: dayAt(fromDay), day, rows: 1 };
    case 'orphan':
      return { kind: 'orphan', foreignKey: effect.foreignKey, day, rows: 1 };
    case 'bad_cast':
      return { kind: 'bad_cast', check: effect.check, day, rows: 1 };
  }
}

async function existingDemo(bronzeDir: string, size: ShopSize): Promise<DemoPlan | null> {
  const path = demoPlanPath(bronzeDir);
  const isThere = (await namesIn(bronzeDir)).length > 0;
  if (!isThere) return null;
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) {
    throw new PipelineError(
      'usage',
      `${bronzeDir} holds data that no demo made; it is left alone. Choose another folder, or move it away.`,
      { context: { bronzeDir } },
    );
  }
  const plan = parseDemoPlan(text, path);
  const isSame = (Object.keys(size) as (keyof ShopSize)[]).every((key) => plan[key] === size[key]);
  if (isSame) return plan;
  throw new PipelineError(
    'usage',
    `${bronzeDir} holds a demo of ${plan.days} days from ${plan.firstDay} with ${plan.ordersPerDay} orders a day and seed ${plan.seed}. ` +
      'Start over with --reset, or ask for the same again.',
    { context: { bronzeDir } },
  );
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

function sizeOf({ firstDay = '2025-10-01', days = 14, ordersPerDay = 200, seed = 42 }: DemoOptions): ShopSize {
  const refuse = (what: string): never => {
    throw new PipelineError('usage', `A demo needs ${what}.`);
  };
  if (!isDay(firstDay)) refuse(`a first day written YYYY-MM-DD, not “${firstDay}”`);
  if (!Number.isInteger(days) || days < 1 || days > 366) refuse(`1 to 366 days, not ${days}`);
  if (!Number.isInteger(ordersPerDay) || ordersPerDay < 1 || ordersPerDay > 1_000_000) {
    refuse(`1 to 1,000,000 orders a day, not ${ordersPerDay}`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) refuse(`a whole number from 0 as seed, not ${seed}`);
  return { firstDay, days, ordersPerDay, seed };
}
