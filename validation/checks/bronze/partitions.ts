/** A table's partitions and files -> whether what should be delivered is there, and nothing twice. Pure. */
import { daysBetween, isDay, parseHivePartition } from '../../../core/partition.ts';
import type { Day } from '../../../core/types.ts';
import type { BronzeTableFacts } from '../../bronze-facts.ts';
import { count, counted, someOf } from '../../figures.ts';
import { type MeasuredResult, measured, notEvaluated } from '../../measured-result.ts';
import { type BronzeCheck, fromFindings, headOf } from './finding.ts';
import { placeOf } from './manifest.ts';

export interface Delivery {
  readonly firstDay: Day;
  readonly lastDay: Day;
  /** True where silver has rows of this table from earlier runs. */
  readonly isKnown: boolean;
  /** Keys below the table's folder that no partition holds. */
  readonly strays: readonly string[];
  /** Partitions that silver was built of and that lie in bronze no more. */
  readonly vanished: readonly string[];
}

/** Of a table without any partition here there is nothing to ask but why. */
export function partitionChecks(facts: BronzeTableFacts, delivery: Delivery): readonly MeasuredResult[] {
  const delivered = [
    tablePresent(facts, delivery),
    ...partitionPresent(facts, delivery),
    ...partitionVanished(facts, delivery),
    strayFiles(facts, delivery.strays),
  ];
  if (facts.partitions.length === 0) return delivered;
  return [...delivered, ...partitionNames(facts), partitionNotEmpty(facts), duplicateContent(facts)];
}

function tablePresent(facts: BronzeTableFacts, { isKnown }: Delivery): MeasuredResult {
  const { name, quality, source } = facts.spec;
  const head = headOf(facts, {
    id: 'table_present',
    severity: 'fail',
    description: 'The table has data in bronze.',
    expected: 'at least one partition',
  });
  if (facts.partitions.length > 0) {
    return measured(head, { state: 'PASS', observed: counted(facts.partitions.length, 'partition') });
  }
  if (isKnown && source.select === 'changed') {
    return notEvaluated(head, 'No partition changed since the last publication.');
  }
  if (isKnown) return notEvaluated(head, 'Delivered before, but not for these days.');
  if (quality.allowEmpty) return notEvaluated(head, 'No partition, and the table may be empty (`allow_empty: true`).');
  return measured(head, {
    state: 'FAIL',
    observed: 'no partition',
    note: `Nothing lies under \`${source.table}/\` of the bronze base path. Deliver \`${name}\`, or correct its \`source\`.`,
  });
}

function partitionPresent(facts: BronzeTableFacts, delivery: Delivery): MeasuredResult[] {
  const { quality, source } = facts.spec;
  if (source.select !== 'interval' || source.partitionKey === null) return [];
  const head = headOf(facts, {
    id: 'partition_present',
    severity: 'fail',
    description: `Every day of the interval has its \`${source.partitionKey}\` partition.`,
    expected: 'one a day',
  });
  const there = new Set(facts.partitions.map((partition) => parseHivePartition(partition.partition)?.value));
  const days = daysBetween(delivery.firstDay, delivery.lastDay);
  const missing = days.filter((day) => !there.has(day));
  const places = someOf(missing.map((day) => `${source.table}/${source.partitionKey}=${day}`));
  if (missing.length === 0) return [measured(head, { state: 'PASS', observed: counted(days.length, 'day') })];
  if (quality.allowEmpty) {
    return [notEvaluated(head, `No partition ${places}; the table may be empty (\`allow_empty: true\`).`)];
  }
  return [
    measured(head, {
      state: 'FAIL',
      observed: `${count(missing.length)} of ${counted(days.length, 'day')} without partition: ${places}`,
      note: 'Deliver the partition, also one without rows; or declare `allow_empty: true` if such days are normal.',
    }),
  ];
}

/** Asked only where it has something to say, so that a rerun of a published day writes the same report. */
function partitionVanished(facts: BronzeTableFacts, { isKnown, vanished }: Delivery): MeasuredResult[] {
  if (!isKnown || (vanished.length === 0 && facts.partitions.length > 0)) return [];
  const check: BronzeCheck = {
    id: 'partition_vanished',
    severity: 'fail',
    description: 'Every partition that silver was built of still lies in bronze.',
    expected: 'none gone',
  };
  const findings = vanished.map((partition) => ({
    where: placeOf(facts, { partition }),
    what: 'gone since it was published',
  }));
  const note = vanished.length > 0 ? 'Silver keeps its rows. Deliver the partition again, or roll silver back.' : '';
  return [fromFindings(facts, check, findings, 1, { note })];
}

/** A partition column that is declared as a date has only calendar days as values. */
function partitionNames(facts: BronzeTableFacts): MeasuredResult[] {
  const { source, columns } = facts.spec;
  const declared = columns.find((column) => column.sourceName === source.partitionKey && column.expr === null);
  const isDate = source.select === 'interval' || declared?.type === 'date' || declared?.type === 'timestamp';
  if (source.partitionKey === null || !isDate) return [];
  const check: BronzeCheck = {
    id: 'partition_name',
    severity: 'fail',
    description: 'The value of a date partition is a calendar day.',
    expected: '`YYYY-MM-DD`',
    next: 'Rename the folder, or take it away.',
  };
  const wrong = facts.partitions.filter((partition) => !isDay(parseHivePartition(partition.partition)?.value ?? ''));
  return [
    fromFindings(
      facts,
      check,
      wrong.map((partition) => ({ where: placeOf(facts, partition), what: 'no calendar day' })),
      facts.partitions.length,
      { nothing: 'There is no partition.' },
    ),
  ];
}

function partitionNotEmpty(facts: BronzeTableFacts): MeasuredResult {
  const rowsOf = (partition: string) =>
    facts.files
      .filter((file) => file.partition === partition)
      .map((file) => (file.unreadable === null ? file.rows : null));
  const empty = facts.partitions.filter((partition) => rowsOf(partition.partition).every((rows) => rows === 0));
  const mayBeEmpty = facts.spec.quality.allowEmpty;
  return fromFindings(
    facts,
    {
      id: 'partition_not_empty',
      severity: mayBeEmpty ? 'warn' : 'fail',
      description: mayBeEmpty
        ? 'A delivered partition holds rows; this table may be empty.'
        : 'A delivered partition holds rows.',
      expected: '≥ 1 row each',
      next: 'Deliver the partition again, or declare `allow_empty: true` if it may be empty.',
    },
    empty.map((partition) => ({
      where: placeOf(facts, partition),
      what: rowsOf(partition.partition).length === 0 ? 'no data file' : '0 rows',
    })),
    facts.partitions.length,
    { nothing: 'There is no partition.' },
  );
}

/** Equal bytes in two files of the table. */
function duplicateContent(facts: BronzeTableFacts): MeasuredResult {
  const firstByHash = new Map<string, string>();
  const findings = facts.files.flatMap((file) => {
    if (file.sha256 === null || file.rows === 0) return [];
    const first = firstByHash.get(file.sha256);
    if (first === undefined) {
      firstByHash.set(file.sha256, file.key);
      return [];
    }
    return [
      { where: file.key, what: `the same bytes as ${first}`, ...(file.rows === null ? {} : { rows: file.rows }) },
    ];
  });
  return fromFindings(
    facts,
    {
      id: 'duplicate_content',
      severity: 'warn',
      description: 'No two files hold the same bytes.',
      expected: 'different files',
      next: 'One delivery may lie there twice; silver will find its rows to be duplicates.',
    },
    findings,
    facts.files.length,
  );
}

function strayFiles(facts: BronzeTableFacts, strays: readonly string[]): MeasuredResult {
  const check: BronzeCheck = {
    id: 'stray_files',
    severity: 'warn',
    description: 'Below the table lie only partitions with Parquet files; anything else is never read.',
    expected: 'no other file',
  };
  return fromFindings(
    facts,
    check,
    strays.map((key) => ({ where: key, what: 'not read as data' })),
    facts.partitions.length,
    { nothing: 'There is no partition here.' },
  );
}
