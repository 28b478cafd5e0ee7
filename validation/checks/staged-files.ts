/** What the build said it staged against what lies in the files: rows, columns, and the columns published before. */
import type { ColumnSchema } from '../../core/types.ts';
import { columnTypeOf } from '../../engine/duckdb-types.ts';
import { count, counted, someOf } from '../figures.ts';
import { type CheckHead, type MeasuredResult, measured } from '../measured-result.ts';
import type { ScanCheck } from '../run-checks.ts';
import type { Subject } from './row-check.ts';

/** Rows counted in the files are the rows that the build counted. */
export function rowsAsStagedCheck(subject: Subject): ScanCheck {
  const staged = subject.partitions.reduce((sum, partition) => sum + partition.rows, 0);
  return {
    checkId: 'rows_as_staged',
    table: subject.table,
    owner: subject.owner,
    severity: 'fail',
    description: 'The files hold as many rows as the build wrote.',
    expected: counted(staged, 'row'),
    relation: subject.touched,
    joins: [],
    failed: '0',
    total: 'count(*)',
    judge: (_, rows) => ({
      state: rows === staged ? 'PASS' : 'FAIL',
      observed: counted(rows, 'row'),
      totalRows: rows,
      note: rows === staged ? '' : 'The staged files were changed or cut. Clear the build task and run it again.',
    }),
    offenders: null,
    byPartition: null,
    pii: subject.pii,
  };
}

/** `found`: columns as DuckDB reads them from the touched files. */
export function columnsCheck(
  subject: Subject,
  declared: readonly ColumnSchema[],
  found: readonly { readonly name: string; readonly type: string }[],
): MeasuredResult {
  const head = headOf(
    subject,
    'columns',
    'fail',
    'The files have the declared columns with their types.',
    'as declared',
  );
  const types = new Map(found.map((column) => [column.name, column.type]));
  const faults = declared.flatMap((column) => {
    const type = types.get(column.name);
    if (type === undefined) return [`${column.name} is missing`];
    return columnTypeOf(type) === column.type ? [] : [`${column.name} is ${type}, expected ${column.type}`];
  });
  return faults.length === 0
    ? measured(head, { state: 'PASS', observed: `${count(declared.length)} columns` })
    : measured(head, { state: 'FAIL', observed: someOf(faults, 5) });
}

/** Additions, removals and changes against what readers see now; silent where there is none, so that a rerun writes the same report. */
export function schemaChangeCheck(
  subject: Subject,
  published: readonly ColumnSchema[] | undefined,
): readonly MeasuredResult[] {
  const before = new Map((published ?? subject.columns).map((column) => [column.name, column.type]));
  const now = new Map(subject.columns.map((column) => [column.name, column.type]));
  const changes = [
    ...subject.columns.filter(({ name }) => !before.has(name)).map(({ name, type }) => `new ${name} (${type})`),
    ...[...before.keys()].filter((name) => !now.has(name)).map((name) => `${name} is gone`),
    ...subject.columns
      .filter(({ name, type }) => before.has(name) && before.get(name) !== type)
      .map(({ name, type }) => `${name} is ${type}, was ${before.get(name)}`),
  ];
  if (changes.length === 0) return [];
  const head = headOf(subject, 'schema_change', 'warn', 'The columns are those that readers see now.', 'no change');
  return [measured(head, { state: 'WARN', observed: someOf(changes, 5) })];
}

function headOf(
  subject: Subject,
  checkId: string,
  severity: CheckHead['severity'],
  description: string,
  expected: string,
): CheckHead {
  return { checkId, table: subject.table, owner: subject.owner, severity, description, expected };
}
