/** A table's partitions and files -> whether what should be delivered is there, and nothing twice. Pure. */
import { daysBetween, isDay, parseHivePartition } from '../../../core/partition.ts';
import type { Day } from '../../../core/types.ts';
import { count, counted, someOf } from '../../figures.ts';
import { type MeasuredResult, measured, notEvaluated } from '../../measured-result.ts';
import type { BronzeTableFacts } from '../../read-bronze-files.ts';
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

export function partitionChecks(facts: BronzeTableFacts, delivery: Delivery): readonly MeasuredResult[] {
  return [
    tablePresent(facts, delivery),
    ...partitionPresent(facts, delivery),
    partitionVanished(facts, delivery),
    partitionNames(facts),
    partitionNotEmpty(facts),
    duplicateContent(facts),
    strayFiles(facts, delivery.strays),
  ];
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

function partitionVanished(facts: BronzeTableFacts, { isKnown, vanished }: Delivery): MeasuredResult {
  return fromFindings(
    facts,
    {
      id: 'partition_vanished',
      severity: 'fail',
      description: 'Every partition that silver was built of still lies in bronze.',
      expected: 'none gone',
    },
    vanished.map((partition) => ({ where: placeOf(facts, { partition }), what: 'gone since it was published' })),
    isKnown ? 1 : 0,
    {
      nothing: 'Nothing of this table was published before.',
      note: vanished.length > 0 ? 'Silver keeps its rows. Deliver the partition again, or roll silver back.' : '',
    },
  );
}

/** A partition column that is declared as a date has only calendar days as values. */
function partitionNames(facts: BronzeTableFacts): MeasuredResult {
  const { source, columns } = facts.spec;
  const declared = columns.find((column) => column.sourceName === source.partitionKey && column.expr === null);
  const isDate = source.select === 'interval' || declared?.type === 'date' || declared?.type === 'timestamp';
  const partitions = source.partitionKey === null || !isDate ? [] : facts.partitions;
  return fromFindings(
    facts,
    {
      id: 'partition_name',
      severity: 'fail',
      description: 'The value of a date partition is a calendar day.',
      expected: '`YYYY-MM-DD`',
    },
    partitions
      .filter((partition) => !isDay(parseHivePartition(partition.partition)?.value ?? ''))
      .map((partition) => ({ where: placeOf(facts, partition), what: 'no calendar day' })),
    partitions.length,
    { nothing: 'The table is not partitioned by date, or has no partition here.' },
  );
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
    },
    empty.map((partition) => ({
      where: placeOf(facts, partition),
      what: rowsOf(partition.partition).length === 0 ? 'no data file' : '0 rows',
    })),
    facts.partitions.length,
    { nothing: 'There is no partition.' },
  );
}

/** Equal bytes in two files of the table: one delivery lies there twice. Silver will find the rows to be duplicates. */
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
    { nothing: 'There is no partition.' },
  );
}
