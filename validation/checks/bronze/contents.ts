/** Counts of the full decode -> missing required values, impossible numbers, misplaced and repeated rows. Pure. */
import type { Limit } from '../../../core/spec.ts';
import { type BronzeFileFacts, type BronzeTableFacts, sameName } from '../../bronze-facts.ts';
import { LATE_DAYS } from '../../count-bronze-rows.ts';
import { count, someOf } from '../../figures.ts';
import { type Limits, promiseOf, rowsAndShare, stateWithin } from '../../limits.ts';
import { type CheckHead, type MeasuredResult, measured, notEvaluated } from '../../measured-result.ts';
import { type BronzeCheck, fromFindings, headOf } from './finding.ts';

export function contentChecks(facts: BronzeTableFacts): readonly MeasuredResult[] {
  const files = facts.files.filter((file) => file.counts !== null);
  return [
    ...requiredValues(facts, files),
    ...finiteNumbers(facts, files),
    ...partitionAgrees(facts, files),
    ...eventTimes(facts, files),
    duplicateKeys(facts),
  ];
}

interface PerFile {
  readonly key: string;
  readonly failed: number;
  readonly total: number;
}

/** Some dirt is what quarantine is for; more of it than may be quarantined means that the delivery is broken. */
function dirtLimits(facts: BronzeTableFacts): Limits {
  const above = (value: number, unit: Limit['unit']): Limit => ({ op: '>', value, unit });
  return { warnIf: above(0, 'rows'), failIf: above(facts.spec.quality.maxQuarantinePct, 'percent') };
}

function counted(head: CheckHead, perFile: readonly PerFile[], limits: Limits): MeasuredResult {
  const failed = perFile.reduce((sum, file) => sum + file.failed, 0);
  const total = perFile.reduce((sum, file) => sum + file.total, 0);
  if (total === 0) return notEvaluated(head, 'There is no row to check.');
  const places = perFile.filter((file) => file.failed > 0).map((file) => `${file.key} ${count(file.failed)}`);
  return measured(head, {
    state: stateWithin(failed, total, limits),
    observed: rowsAndShare(failed, total),
    failedRows: failed,
    totalRows: total,
    note: places.length === 0 ? '' : `In ${someOf(places)}.`,
  });
}

function requiredValues(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult[] {
  const limits = dirtLimits(facts);
  return facts.spec.columns
    .filter((column) => column.required && column.expr === null)
    .flatMap((column) => {
      const perFile = files.flatMap((file): PerFile[] => {
        const own = file.columns.find((known) => sameName(known.name, column.sourceName));
        if (!own || file.rows === null) return [];
        const failed = file.counts?.blank.get(own.name) ?? file.rows - (file.counts?.nonNull.get(own.name) ?? 0);
        return [{ key: file.key, failed, total: file.rows }];
      });
      if (perFile.length === 0) return [];
      const head = headOf(facts, {
        id: `nulls_${column.sourceName}`,
        severity: 'fail',
        description: `Rows have a value in \`${column.sourceName}\`, which is required.`,
        expected: promiseOf(limits),
      });
      return [counted(head, perFile, limits)];
    });
}

function finiteNumbers(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult[] {
  const limits = dirtLimits(facts);
  const names = [...new Set(files.flatMap((file) => [...(file.counts?.notFinite.keys() ?? [])]))].sort();
  if (names.length === 0) return [];
  const head = headOf(facts, {
    id: 'finite_numbers',
    severity: 'fail',
    description: 'No number is NaN or infinite.',
    expected: promiseOf(limits),
  });
  const broken = names.filter((name) => files.some((file) => (file.counts?.notFinite.get(name) ?? 0) > 0));
  // The column with the largest share decides: shares of different columns do not add up.
  const results = (broken.length > 0 ? broken : names.slice(0, 1)).map((name) => ({
    name,
    result: counted(
      head,
      files.map((file) => ({ key: file.key, failed: file.counts?.notFinite.get(name) ?? 0, total: file.rows ?? 0 })),
      limits,
    ),
  }));
  const worst = results.sort((a, b) => (b.result.failedRows ?? 0) - (a.result.failedRows ?? 0))[0];
  if (!worst) return [];
  return [
    broken.length === 0
      ? worst.result
      : { ...worst.result, observed: `${worst.result.observed} in ${worst.name}${more(broken, worst.name)}` },
  ];
}

function more(broken: readonly string[], shown: string): string {
  const others = broken.filter((name) => name !== shown);
  return others.length === 0 ? '' : `; also in ${someOf(others)}`;
}

/** Only where a file states its partition's value too. */
function partitionAgrees(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult[] {
  const { partitionKey } = facts.spec.source;
  const asked = files.filter((file) => file.counts?.disagree !== null);
  if (asked.length === 0) return [];
  const check: BronzeCheck = {
    id: 'partition_agrees',
    severity: 'fail',
    description: 'The partition column inside a file says what its folder says.',
    expected: '0 rows',
    next: 'The build goes by the folder: deliver the rows under the partition that they belong to.',
  };
  const findings = asked
    .filter((file) => (file.counts?.disagree ?? 0) > 0)
    .map((file) => ({
      where: file.key,
      what: `${count(file.counts?.disagree ?? 0)} of ${count(file.rows ?? 0)} rows name another ${partitionKey}`,
      rows: file.counts?.disagree ?? 0,
    }));
  const totalRows = asked.reduce((sum, file) => sum + (file.rows ?? 0), 0);
  return [fromFindings(facts, check, findings, asked.length, { totalRows })];
}

function eventTimes(facts: BronzeTableFacts, files: readonly BronzeFileFacts[]): MeasuredResult[] {
  const names = [...new Set(files.flatMap((file) => [...(file.counts?.farFromPartition.keys() ?? [])]))].sort();
  return names.map((name) => {
    const head = headOf(facts, {
      id: `event_time_${name}`,
      severity: 'warn',
      description: `\`${name}\` lies at most ${LATE_DAYS} days before the day of its partition, and not after the next day.`,
      expected: '0 rows',
    });
    const perFile = files.flatMap((file): PerFile[] => {
      const failed = file.counts?.farFromPartition.get(name);
      return failed === undefined ? [] : [{ key: file.key, failed, total: file.rows ?? 0 }];
    });
    return counted(head, perFile, { warnIf: { op: '>', value: 0, unit: 'rows' }, failIf: null });
  });
}

function duplicateKeys(facts: BronzeTableFacts): MeasuredResult {
  const head = headOf(facts, {
    id: 'duplicate_keys',
    severity: 'warn',
    description: `No key (${facts.spec.primaryKey.join(', ')}) is delivered twice; silver keeps the newest row of each.`,
    expected: '0 rows',
  });
  const { duplicateKeys: found } = facts;
  if (found === null) return notEvaluated(head, 'The key’s columns are not in every file.');
  if (found.total === 0) return notEvaluated(head, 'There is no row to check.');
  return measured(head, {
    state: found.rows > 0 ? 'WARN' : 'PASS',
    observed: rowsAndShare(found.rows, found.total),
    failedRows: found.rows,
    totalRows: found.total,
  });
}
