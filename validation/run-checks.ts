/** All checks of a table -> one scan of it, and for those that fail a second look at the offending rows. */
import { PipelineError } from '../core/errors.ts';
import type { PartitionSpread } from '../core/types.ts';
import type { Cell, DuckDbSession } from '../engine/duckdb-session.ts';
import { count, someOf } from './figures.ts';
import {
  type CheckHead,
  MAX_SAMPLES,
  type MeasuredResult,
  type Measurement,
  measured,
  notEvaluated,
  undecided,
} from './measured-result.ts';
import { partitionSpread } from './partition-spread.ts';
import { maskValue } from './report/mask-value.ts';

/** A question that aggregates over one relation answer. All SQL is DuckDB's. */
export interface ScanCheck extends CheckHead {
  /** FROM text with the alias `t`; checks of equal relations share one scan. */
  readonly relation: string;
  /** `LEFT JOIN …` texts that add no row; equal ones are joined once. */
  readonly joins: readonly string[];
  /** Aggregate: offending rows. */
  readonly failed: string;
  /** Aggregate: rows that the check is about. */
  readonly total: string;
  readonly judge: (failed: number, total: number) => Measurement;
  /** SELECT text of the offending rows in a total order, every column as text; null where no single row offends. */
  readonly offenders: string | null;
  /** SELECT text of `partition` (text) and `rows`, most rows first; null where one partition or none was read. */
  readonly byPartition: string | null;
  /** Asked only where the check fails. */
  readonly spread?: SpreadQuery;
  /** Pii tag by column of `offenders`. */
  readonly pii: ReadonlyMap<string, string>;
}

/** How offending rows lie over the partitions of a key. */
export interface SpreadQuery extends Pick<PartitionSpread, 'key' | 'of'> {
  /** SELECT text of `partition` (text), `failed` and `rows`. */
  readonly sql: string;
}

/** Codes that say nothing about the data: the attempt ends, and no report is written from half a scan. */
const ATTEMPT_CODES: readonly string[] = ['task_cancelled', 'out_of_memory', 'storage_full', 'storage_unavailable'];

/**
 * Results in the order of the checks. A check whose SQL does not run is undecided, and so is a table whose files do not read.
 * Cost: one scan a relation; for a check with offending rows one more query for their places, and if it warns or fails one for samples.
 *
 * @throws PipelineError `task_cancelled`, `out_of_memory`, `storage_full`
 */
export async function runChecks(
  session: DuckDbSession,
  checks: readonly ScanCheck[],
): Promise<readonly MeasuredResult[]> {
  const results = new Map<ScanCheck, MeasuredResult>();
  for (const relation of new Set(checks.map((check) => check.relation))) {
    const own = checks.filter((check) => check.relation === relation);
    for (const [check, result] of await scanTogether(session, relation, own)) results.set(check, result);
  }
  return checks.flatMap((check) => results.get(check) ?? []);
}

type Answers = ReadonlyMap<ScanCheck, MeasuredResult>;

async function scanTogether(session: DuckDbSession, relation: string, checks: readonly ScanCheck[]): Promise<Answers> {
  try {
    return await scan(session, relation, checks);
  } catch (thrown) {
    throwUnlessAboutData(thrown);
    if (thrown instanceof PipelineError && thrown.code === 'data_unreadable') return unreadable(checks, thrown.message);
    return oneByOne(session, relation, checks);
  }
}

/** One faulty expression must not silence the others. */
async function oneByOne(session: DuckDbSession, relation: string, checks: readonly ScanCheck[]): Promise<Answers> {
  const answers = new Map<ScanCheck, MeasuredResult>();
  for (const check of checks) {
    try {
      for (const [own, result] of await scan(session, relation, [check])) answers.set(own, result);
    } catch (thrown) {
      throwUnlessAboutData(thrown);
      answers.set(check, undecided(check, `The check does not run: ${firstLine(thrown)}`));
    }
  }
  return answers;
}

async function scan(session: DuckDbSession, relation: string, checks: readonly ScanCheck[]): Promise<Answers> {
  const joins = [...new Set(checks.flatMap((check) => check.joins))];
  const aggregates = checks.flatMap((check, index) => [`${check.failed} AS f${index}`, `${check.total} AS n${index}`]);
  const row = await session.one(`SELECT ${aggregates.join(', ')} FROM ${[relation, ...joins].join(' ')}`);
  const answers = new Map<ScanCheck, MeasuredResult>();
  for (const [index, check] of checks.entries()) {
    const measurement = check.judge(Number(row[`f${index}`] ?? 0), Number(row[`n${index}`] ?? 0));
    answers.set(check, measured(check, await withEvidence(session, check, measurement)));
  }
  return answers;
}

async function withEvidence(session: DuckDbSession, check: ScanCheck, measurement: Measurement): Promise<Measurement> {
  const isBroken = measurement.state === 'FAIL' || measurement.state === 'WARN';
  if (!isBroken && (measurement.failedRows ?? 0) === 0) return measurement;
  const samples = measurement.samples ?? (isBroken ? await sampleRows(session, check) : []);
  const own = await spreadOf(session, check, measurement);
  // A spread says the same of every partition, and out of how many rows.
  const places = own.length > 0 ? '' : await placesOf(session, check);
  const note = [measurement.note ?? '', places].filter((text) => text !== '').join(' ');
  return { ...measurement, note, samples, spread: [...(measurement.spread ?? []), ...own] };
}

async function spreadOf(
  session: DuckDbSession,
  { spread }: ScanCheck,
  { state }: Measurement,
): Promise<readonly PartitionSpread[]> {
  if (spread === undefined || state !== 'FAIL') return [];
  const counts = (await rowsOrNone(session, spread.sql)).map(({ partition, failed, rows }) => ({
    value: textOf(partition ?? null) ?? '∅',
    failed: Number(failed ?? 0),
    rows: Number(rows ?? 0),
  }));
  return partitionSpread(spread, counts);
}

async function sampleRows(session: DuckDbSession, check: ScanCheck): Promise<Record<string, string>[]> {
  if (check.offenders === null) return [];
  const rows = await rowsOrNone(session, `${check.offenders} LIMIT ${MAX_SAMPLES}`);
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([column, cell]) => [column, maskValue(textOf(cell), check.pii.get(column) ?? null)]),
    ),
  );
}

async function placesOf(session: DuckDbSession, check: ScanCheck): Promise<string> {
  if (check.byPartition === null) return '';
  const rows = await rowsOrNone(session, check.byPartition);
  if (rows.length === 0) return '';
  return `By partition: ${someOf(
    rows.map((row) => `${textOf(row.partition ?? null)} ${count(Number(row.rows))}`),
    5,
  )}.`;
}

/** Evidence is a help, not a promise: where it cannot be had, the result stands without it. */
async function rowsOrNone(session: DuckDbSession, sql: string): Promise<Record<string, Cell>[]> {
  try {
    return await session.rows(sql);
  } catch (thrown) {
    throwUnlessAboutData(thrown);
    return [];
  }
}

function unreadable(checks: readonly ScanCheck[], message: string): Answers {
  const answers = new Map<ScanCheck, MeasuredResult>();
  for (const [index, check] of checks.entries()) {
    const why = 'The table’s files do not read.';
    answers.set(
      check,
      index === 0
        ? undecided(
            {
              ...check,
              checkId: 'readable',
              description: 'Every file of the table can be read to its end.',
              expected: 'all files',
            },
            `${why} ${withoutFolders(message)}`,
          )
        : notEvaluated(check, why),
    );
  }
  return answers;
}

export function throwUnlessAboutData(thrown: unknown): void {
  if (thrown instanceof PipelineError && ATTEMPT_CODES.includes(thrown.code)) throw thrown;
}

export function firstLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return withoutFolders(message.split('\n')[0] ?? '');
}

/** Reports hold no machine's paths: of an absolute path in a message only the last three names stay. */
export function withoutFolders(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/(?<![\w.=-])(?:\/[^\s/"']+)+/g, (path) =>
    path.split('/').slice(-3).join('/').replace(/^\//, ''),
  );
}

function textOf(cell: Cell): string | null {
  return cell === null ? null : String(cell);
}
