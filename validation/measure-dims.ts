/** Snapshots, staged by this run or published before -> results of the dims checks. */
import { readDim } from '../core/dim-snapshot.ts';
import { addDays } from '../core/partition.ts';
import { pinnedSequence, stagedTable } from '../core/pinned-inputs.ts';
import { EMPTY_ACCOUNT } from '../core/row-account.ts';
import type { DimSpec, TableSpec } from '../core/spec.ts';
import type { Day, Publication, PublishedTable, StagedTable, TableAccount } from '../core/types.ts';
import { planDeclared } from './checks/declared-check.ts';
import { notNullChecks } from './checks/not-null.ts';
import { partitionAgreesChecks } from './checks/partition-agrees.ts';
import { snapshotChecks, snapshotMissing } from './checks/snapshot.ts';
import { rowsAsStagedCheck } from './checks/staged-files.ts';
import { uniqueCheck } from './checks/unique.ts';
import { NONE_FAILS } from './limits.ts';
import { countedRows, type LayerMeasurement, type Measuring, tableAccount } from './measure.ts';
import type { MeasuredResult } from './measured-result.ts';
import { runChecks } from './run-checks.ts';
import { columnsChecks, heldBack, stagedSubject } from './staged-subject.ts';

/** The snapshot that this run's readers get: staged by this run, else the published one that its date reads. */
interface ReadSnapshot {
  readonly day: Day;
  readonly isBootstrap: boolean;
  /** The snapshot alone, as if staged. */
  readonly staged: StagedTable;
}

export async function measureDims(measuring: Measuring): Promise<LayerMeasurement> {
  const { context } = measuring;
  const publication = await pinnedDims(measuring);
  const results: MeasuredResult[] = [];
  const tables: TableAccount[] = [];
  for (const dim of context.spec.dims.filter(({ name }) => context.task.tables.includes(name))) {
    const table = context.spec.tables.find(({ name }) => name === dim.name);
    const owner = table?.owner ?? context.spec.owner;
    const staged = stagedTable(context.outputs, 'dims', dim.name);
    if (staged?.heldBackBy !== undefined) {
      const own = [heldBack(staged, owner)];
      results.push(...own);
      tables.push(tableAccount(dim.name, EMPTY_ACCOUNT, own));
      continue;
    }
    const snapshot = snapshotOf(measuring, dim, publication);
    const own = snapshot
      ? await measureSnapshot(measuring, dim, table, owner, snapshot)
      : [snapshotMissing(dim, owner, context.run.runDate)];
    const rows = snapshot?.staged.partitions.reduce((sum, partition) => sum + partition.rows, 0);
    results.push(...own);
    tables.push(tableAccount(dim.name, rows === undefined ? EMPTY_ACCOUNT : countedRows(rows), own));
  }
  return { results, tables };
}

async function pinnedDims({ context, publications }: Measuring): Promise<Publication | null> {
  const sequence = pinnedSequence(context.outputs, 'dims');
  if (sequence === undefined) return publications.current('dims');
  return sequence === null ? null : publications.at('dims', sequence);
}

function snapshotOf({ context }: Measuring, dim: DimSpec, publication: Publication | null): ReadSnapshot | null {
  const { runDate } = context.run;
  const staged = stagedTable(context.outputs, 'dims', dim.name);
  if (staged) {
    const own = staged.partitions.filter((partition) => partition.value === runDate);
    return own.length === 0 ? null : { day: runDate, isBootstrap: false, staged: { ...staged, partitions: own } };
  }
  const read = readDim(publication, dim.name, runDate);
  const table = publication?.tables[dim.name];
  if (!read || !table) return null;
  return { day: read.day, isBootstrap: read.isBootstrap, staged: asStaged(dim.name, table, read.partition) };
}

function asStaged(name: string, table: PublishedTable, partition: StagedTable['partitions'][number]): StagedTable {
  return {
    layer: 'dims',
    table: name,
    columns: table.columns,
    primaryKey: table.primaryKey,
    partitionKey: table.partitionKey,
    unchanged: true,
    partitions: [partition],
    removed: [],
    replacesAll: false,
    account: EMPTY_ACCOUNT,
    quarantine: [],
    buildCounts: {},
    inputs: {},
    logicFingerprint: table.logicFingerprint,
    state: {},
  };
}

async function measureSnapshot(
  { context, lake, session }: Measuring,
  dim: DimSpec,
  table: TableSpec | undefined,
  owner: string,
  snapshot: ReadSnapshot,
): Promise<readonly MeasuredResult[]> {
  const subject = await stagedSubject(lake, snapshot.staged, undefined, context.spec, owner);
  const parameters = { window_start: context.run.firstDay, window_end: addDays(context.run.runDate, 1) };
  const declared = dim.checks.map((check) => planDeclared(subject, check, parameters));
  const required = (table?.columns ?? []).filter((column) => column.required).map((column) => column.name);
  const scanned = await runChecks(session, [
    rowsAsStagedCheck(subject),
    ...partitionAgreesChecks(subject, subject.pathsByValue),
    uniqueCheck(subject, {
      id: 'pk_unique',
      description: '',
      limits: NONE_FAILS,
      key: dim.primaryKey,
      scope: 'touched',
    }),
    ...notNullChecks(subject, [...dim.primaryKey, ...required]),
    ...declared.flatMap((planned) => (planned.kind === 'scan' ? [planned.check] : [])),
  ]);
  const wanted = snapshot.staged.columns;
  const missing = required.filter((name) => !wanted.some((column) => column.name === name));
  return [
    ...snapshotChecks(dim, owner, {
      day: snapshot.day,
      isBootstrap: snapshot.isBootstrap,
      rows: snapshot.staged.partitions.reduce((sum, partition) => sum + partition.rows, 0),
      runDate: context.run.runDate,
      missingColumns: missing,
    }),
    ...(await columnsChecks(session, subject, wanted, scanned)),
    ...scanned,
    ...declared.flatMap((planned) => (planned.kind === 'result' ? [planned.result] : [])),
  ];
}
