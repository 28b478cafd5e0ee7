/** A partitioned table -> the check that every row lies in the partition that its partition column names. */
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { NONE_FAILS } from '../limits.ts';
import type { ScanCheck } from '../run-checks.ts';
import { rowCheck, type Subject } from './row-check.ts';

const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';

/** Nothing for a whole-table asset. Needs the paths by partition, because the files' folders are what readers go by. */
export function partitionAgreesChecks(
  subject: Subject,
  pathsByValue: ReadonlyMap<string, readonly string[]>,
): readonly ScanCheck[] {
  const column = subject.columns.find((known) => known.name === subject.partitionKey);
  if (!column || subject.partitionKey === null || pathsByValue.size === 0) return [];
  const value = `t.${identifier(column.name)}`;
  const rows = [...pathsByValue.entries()].flatMap(([partition, paths]) =>
    paths.map((path) => `(${literal(path)}, ${partition === NULL_PARTITION ? 'NULL' : literal(partition)})`),
  );
  if (rows.length === 0) return [];
  const join = `LEFT JOIN (VALUES ${rows.join(', ')}) AS assay_lies(assay_path, assay_partition) ON t.assay_file = assay_path`;
  return [
    rowCheck(subject, {
      id: 'partition_agrees',
      description: `Every row lies in the partition that its \`${column.name}\` names.`,
      offends: `${value} IS DISTINCT FROM TRY_CAST(assay_partition AS ${duckDbType(column.type)})`,
      joins: [join],
      limits: NONE_FAILS,
      columns: [column.name],
    }),
  ];
}
