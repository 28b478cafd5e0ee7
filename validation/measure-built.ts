/** Staged enriched tables and gold marts -> results of volume, keys, sane numbers and declared checks. */
import { addDays } from '../core/partition.ts';
import { pinnedSequence, stagedTable } from '../core/pinned-inputs.ts';
import type { CheckSpec, MartSpec, TransformSpec } from '../core/spec.ts';
import type { ColumnSchema, Publication, StagedTable, TableAccount } from '../core/types.ts';
import { planDeclared } from './checks/declared-check.ts';
import { keyFieldChecks } from './checks/key-fields.ts';
import { notNullChecks } from './checks/not-null.ts';
import { partitionAgreesChecks } from './checks/partition-agrees.ts';
import { saneNumberChecks } from './checks/sane-numbers.ts';
import { rowsAsStagedCheck, schemaChangeCheck } from './checks/staged-files.ts';
import { uniqueCheck } from './checks/unique.ts';
import { minRowsCheck, runDatePartitionCheck, type VolumeSubject, volumeChangeCheck } from './checks/volume.ts';
import { NONE_FAILS } from './limits.ts';
import { countedRows, type LayerMeasurement, type Measuring, tableAccount } from './measure.ts';
import type { MeasuredResult } from './measured-result.ts';
import { runChecks, type ScanCheck } from './run-checks.ts';
import { columnsChecks, heldBack, notStaged, type StagedSubject, stagedSubject } from './staged-subject.ts';

/** A table that was computed, with what is promised of it. */
interface BuiltTable {
  readonly name: string;
  readonly keyCheck: (subject: StagedSubject) => ScanCheck;
  readonly keyColumns: readonly string[];
  readonly checks: readonly CheckSpec[];
  /** Null: whatever the build declared. */
  readonly columns: readonly ColumnSchema[] | null;
  readonly volume: (subject: VolumeSubject, hasWork: boolean) => readonly MeasuredResult[];
  /** Silver tables, dims or other transforms that it reads. */
  readonly inputs: readonly string[];
  readonly keyFields: readonly string[];
}

export function measureEnriched(measuring: Measuring): Promise<LayerMeasurement> {
  return measureLayer(measuring, 'enriched', measuring.context.spec.transforms.map(enrichedTable));
}

export function measureGold(measuring: Measuring): Promise<LayerMeasurement> {
  return measureLayer(measuring, 'gold', measuring.context.spec.marts.map(goldTable));
}

function enrichedTable(transform: TransformSpec): BuiltTable {
  return {
    name: transform.name,
    keyCheck: (subject) =>
      uniqueCheck(subject, {
        id: 'pk_unique',
        description: '',
        limits: NONE_FAILS,
        // Each partition of an as-of table is a snapshot of all keys, so that a key is unique only within its partition.
        ...(transform.window.kind === 'as_of'
          ? { key: [...new Set([...transform.primaryKey, transform.partitionKey])], scope: 'touched' }
          : { key: transform.primaryKey, scope: 'visible' }),
      }),
    keyColumns: transform.primaryKey,
    checks: transform.checks,
    columns: null,
    inputs: transform.dependsOn,
    volume: (subject, hasWork) => [
      minRowsCheck(subject, transform.minRows, hasWork),
      ...runDatePartitionCheck(subject),
      ...volumeChangeCheck(subject),
    ],
    keyFields: transform.keyFields,
  };
}

function goldTable(mart: MartSpec): BuiltTable {
  return {
    name: mart.name,
    keyCheck: (subject) =>
      uniqueCheck(subject, {
        id: 'grain_unique',
        description: `One row per ${mart.grain.map((column) => `\`${column}\``).join(', ')}.`,
        limits: NONE_FAILS,
        key: mart.grain,
        scope: 'visible',
      }),
    keyColumns: mart.grain,
    checks: mart.checks,
    columns: mart.columns.map(({ name, type }) => ({ name, type })),
    inputs: [],
    volume: (subject) => [...runDatePartitionCheck(subject), ...volumeChangeCheck(subject)],
    keyFields: [],
  };
}

async function measureLayer(
  measuring: Measuring,
  layer: 'enriched' | 'gold',
  built: readonly BuiltTable[],
): Promise<LayerMeasurement> {
  const { context } = measuring;
  const publication = await pinnedPublication(measuring, layer);
  const results: MeasuredResult[] = [];
  const tables: TableAccount[] = [];
  for (const table of built.filter(({ name }) => context.task.tables.includes(name))) {
    const staged = stagedTable(context.outputs, layer, table.name);
    const own = await resultsOf(measuring, table, staged, publication);
    const rows = (staged?.partitions ?? []).reduce((sum, partition) => sum + partition.rows, 0);
    results.push(...own);
    tables.push(tableAccount(table.name, countedRows(rows), own));
  }
  return { results, tables };
}

async function resultsOf(
  measuring: Measuring,
  table: BuiltTable,
  staged: StagedTable | undefined,
  publication: Publication | null,
): Promise<readonly MeasuredResult[]> {
  const { context } = measuring;
  if (!staged) return [notStaged(context, table.name, context.spec.owner)];
  if (staged.heldBackBy !== undefined) return [heldBack(staged, context.spec.owner)];
  return measureTable(measuring, table, staged, publication);
}

async function pinnedPublication(
  { context, publications }: Measuring,
  layer: 'enriched' | 'gold',
): Promise<Publication | null> {
  const sequence = pinnedSequence(context.outputs, layer);
  if (sequence === undefined) return publications.current(layer);
  return sequence === null ? null : publications.at(layer, sequence);
}

/** Has any input a row that readers of this run can see? */
async function hasInputRows({ context, publications }: Measuring, table: BuiltTable): Promise<boolean> {
  const published = await Promise.all(
    (['silver', 'dims', 'enriched'] as const).map((layer) => publications.current(layer)),
  );
  return table.inputs.some((input) => {
    const visible = published.flatMap((publication) => Object.values(publication?.tables[input]?.partitions ?? {}));
    const staged = stagedTable(context.outputs, 'enriched', input)?.partitions ?? [];
    return [...visible, ...staged].some((partition) => partition.rows > 0);
  });
}

async function measureTable(
  measuring: Measuring,
  table: BuiltTable,
  staged: StagedTable,
  publication: Publication | null,
): Promise<readonly MeasuredResult[]> {
  const { context, lake, session } = measuring;
  const published = publication?.tables[table.name];
  const subject = await stagedSubject(lake, staged, published, context.spec, context.spec.owner);
  const { runDate, firstDay } = context.run;
  const parameters = { window_start: firstDay, window_end: addDays(runDate, 1) };
  const declared = table.checks.map((check) => planDeclared(subject, check, parameters));
  const scanned = await runChecks(session, [
    rowsAsStagedCheck(subject),
    ...partitionAgreesChecks(subject, subject.pathsByValue),
    ...(table.keyColumns.length > 0 ? [table.keyCheck(subject)] : []),
    ...notNullChecks(subject, table.keyColumns),
    ...keyFieldChecks(subject, table.keyFields),
    ...saneNumberChecks(subject),
    ...declared.flatMap((planned) => (planned.kind === 'scan' ? [planned.check] : [])),
  ]);
  return [
    ...table.volume(
      {
        table: table.name,
        owner: subject.owner,
        partitionKey: staged.partitionKey,
        touched: staged.partitions,
        visible: subject.visiblePartitions,
        runDate,
      },
      !staged.unchanged && (await hasInputRows(measuring, table)),
    ),
    ...(await columnsChecks(session, subject, table.columns ?? staged.columns, scanned)),
    ...schemaChangeCheck(subject, published?.columns),
    ...scanned,
    ...declared.flatMap((planned) => (planned.kind === 'result' ? [planned.result] : [])),
  ];
}
