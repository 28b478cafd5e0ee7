/** A staged table and what is published of it -> the Subject that checks ask. */
import { type LakeFiles, overlay, type TaskContext } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { ColumnSchema, DataPartition, PublishedTable, StagedTable } from '../core/types.ts';
import type { DuckDbSession } from '../engine/duckdb-session.ts';
import { relationOf, type Subject } from './checks/row-check.ts';
import { columnsCheck } from './checks/staged-files.ts';
import { type MeasuredResult, notEvaluated, undecided } from './measured-result.ts';

export interface StagedSubject extends Subject {
  readonly staged: StagedTable;
  readonly published: PublishedTable | undefined;
  /** What readers would see after publishing. */
  readonly visiblePartitions: readonly DataPartition[];
  readonly pathsByValue: ReadonlyMap<string, readonly string[]>;
}

export async function stagedSubject(
  lake: LakeFiles,
  staged: StagedTable,
  published: PublishedTable | undefined,
  spec: Spec,
  owner: string,
): Promise<StagedSubject> {
  const visiblePartitions = overlay(published, staged);
  const pathsByValue = new Map<string, readonly string[]>();
  for (const partition of staged.partitions) {
    pathsByValue.set(partition.value, await lake.localPaths(partition.files));
  }
  const visible = await lake.localPaths(visiblePartitions.flatMap((partition) => partition.files));
  return {
    table: staged.table,
    owner,
    columns: staged.columns,
    primaryKey: staged.primaryKey,
    partitionKey: staged.partitionKey,
    partitions: staged.partitions,
    touched: relationOf([...pathsByValue.values()].flat(), staged.columns),
    visible: relationOf(visible, staged.columns),
    pii: piiTags(spec),
    staged,
    published,
    visiblePartitions,
    pathsByValue,
  };
}

/** Tags by column name over all tables: a column keeps its name, and its secret, through the layers. */
function piiTags(spec: Spec): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const column of spec.tables.flatMap((table) => table.columns)) {
    if (column.pii !== null) tags.set(column.name, column.pii).set(`cart_${column.name}`, column.pii);
  }
  return tags;
}

/** Columns of the touched files against the declared ones; nothing to ask where there is no file, or one that does not read. */
export async function columnsChecks(
  session: DuckDbSession,
  subject: StagedSubject,
  declared: readonly ColumnSchema[],
  scanned: readonly MeasuredResult[],
): Promise<readonly MeasuredResult[]> {
  const hasFiles = [...subject.pathsByValue.values()].some((paths) => paths.length > 0);
  if (!hasFiles || scanned.some((result) => result.checkId === 'readable')) return [];
  const found = await session.describe(`SELECT * EXCLUDE (assay_file) FROM ${subject.touched}`);
  return [columnsCheck(subject, declared, found)];
}

/** A table that this task must judge and that no task of this run has built: the gate stays shut. */
/** What a report says of a table that was not built, because what it is built on is held back. */
export function heldBack(staged: StagedTable, owner: string): MeasuredResult {
  return notEvaluated(
    {
      checkId: 'held_back',
      table: staged.table,
      owner,
      severity: 'fail',
      description: 'The table stays as readers see it.',
      expected: '',
    },
    `${staged.heldBackBy} is held back in this run`,
  );
}

export function notStaged(context: TaskContext, table: string, owner: string): MeasuredResult {
  return undecided(
    {
      checkId: 'staged',
      table,
      owner,
      severity: 'fail',
      description: 'A task of this run has built the table.',
      expected: 'a staged table',
    },
    `No finished task of this run has staged ${context.task.layer}.${table}. Clear its build task and run it again.`,
  );
}
