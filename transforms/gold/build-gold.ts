/** One mart and the warehouse -> its partitions that are not what their inputs make of them, built beside the target and staged. */

import { resolve } from 'node:path';
import { counted } from '../../core/counted.ts';
import { PipelineError } from '../../core/errors.ts';
import { SqlFaultError } from '../../core/google-sql/lexer.ts';
import { hivePartition } from '../../core/partition.ts';
import { heldTables } from '../../core/pinned-inputs.ts';
import type {
  OpenWarehouse,
  PublicationReader,
  PublicationStore,
  TaskContext,
  TaskHandler,
  Warehouse,
  WarehouseTableDef,
} from '../../core/ports.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { MartSpec } from '../../core/spec.ts';
import { stagePartitions } from '../../core/stage-partitions.ts';
import type { DataPartition, JsonObject, PublishedLayer, PublishedTable, StagedTable } from '../../core/types.ts';
import { type MartState, martState, readMartState } from './mart-state.ts';
import { type Contents, expectedContents, logicFingerprint, type MartInput, partitionsToBuild } from './plan-mart.ts';
import { hasSameContent, mirrorVisible, readVisible, type VisibleTable } from './published-tables.ts';

export interface BuildGoldDeps {
  readonly publications: PublicationStore;
  readonly openWarehouse: OpenWarehouse;
}

/** What to build, decided before anything is built. */
interface Plan {
  /** Null: the whole mart, over all time. */
  readonly days: readonly string[] | null;
  /** Of the partitions to build. A whole build learns its partitions from the rows: then by `''`. */
  readonly fingerprints: Contents;
  /** Of every partition that the mart has afterwards; null where a whole build has yet to tell. */
  readonly contents: Contents | null;
}

/**
 * Content-addressed: a partition is built where the warehouse, or the published Parquet, has another content than its
 * inputs and its query make; so late days, an edited mart, a crash at any step and a rollback all end in the same rows.
 * The inputs are brought up to date first, so that what is hashed is what is read. The visible mart is not touched.
 * Where this run holds an input back, nothing is built and the mart is held back too.
 *
 * @throws PipelineError `publication_not_found` where an input was never published, `sql_not_portable`, `sql_invalid`,
 *   `warehouse_schema`, `warehouse_rejected`, `warehouse_unavailable` (retryable)
 */
export function createBuildGoldHandler(deps: BuildGoldDeps): TaskHandler {
  return async (context) => {
    const mart = martOf(context);
    const gold = await deps.publications.current('gold');
    const published = gold?.tables[mart.name];
    const held = heldTables(context.outputs);
    const heldBackBy = mart.inputs.map(({ layer, table }) => `${layer}.${table}`).find((input) => held.has(input));
    if (heldBackBy !== undefined) {
      context.log.info(`gold.${mart.name} stays as it is, because ${heldBackBy} is held back`);
      return { kind: 'staged', staged: { ...unchanged(context, mart, published), heldBackBy } };
    }
    const warehouse = await deps.openWarehouse(context);
    try {
      const { inputs, read, versions } = await prepareInputs(deps, context, warehouse, mart);
      const loaded = await warehouse.loaded('gold', mart.name);
      // A change of columns that the visible table cannot take is told here, before anything is published.
      if (loaded !== 'absent') await warehouse.ensureTable(martDefinition(mart));
      const plan = planBuild(mart, inputs, loaded, published);
      if (plan === null) return { kind: 'staged', staged: unchanged(context, mart, published), jobs: warehouse.jobs() };
      const staged = await buildAndStage(deps, context, warehouse, { mart, plan, published, read, versions });
      return { kind: 'staged', staged, jobs: warehouse.jobs(), basedOn: gold?.sequence ?? null };
    } finally {
      await warehouse.close();
    }
  };
}

function martOf({ task, spec }: TaskContext): MartSpec {
  const mart = spec.marts.find(({ name }) => name === task.tables[0]);
  if (!mart) throw new Error(`task ${task.id} builds ${task.tables[0] ?? 'nothing'}, which is no mart of the spec`);
  return mart;
}

/** The tables that the mart reads, in the warehouse as they are published now. */
async function prepareInputs(
  deps: BuildGoldDeps,
  context: TaskContext,
  warehouse: Warehouse,
  mart: MartSpec,
): Promise<{
  readonly inputs: readonly MartInput[];
  readonly read: readonly VisibleTable[];
  readonly versions: MartState['versions'];
}> {
  const wanted = mart.inputs.map(({ layer, table }) => {
    if (layer === 'bronze') throw new Error(`mart ${mart.name} reads bronze.${table}, which is never loaded`);
    return { layer, name: table };
  });
  const inputs: MartInput[] = [];
  const versions: { [layer in PublishedLayer]?: number } = {};
  const mirrored = await mirrorVisible(deps.publications, warehouse, context.spec, wanted);
  for (const { visible, before, receipts } of mirrored) {
    const { layer, name, published, sequence } = visible;
    const loaded = receipts === null ? before : await warehouse.loaded(layer, name);
    if (loaded === 'absent') throw new Error(`${layer}.${name} is absent right after it was loaded`);
    inputs.push({ layer, table: name, partitionKey: published.partitionKey, loaded });
    versions[layer] = sequence;
  }
  const read = mirrored.map(({ visible }) => visible);
  return { inputs, read, versions };
}

/**
 * A warehouse that several schedulers load may have got newer rows under the running query. Whoever loads them has published
 * them before, so what is published still as it was when the query has ended was in the warehouse all the time.
 */
async function assertStillPublished(
  publications: PublicationReader,
  mart: MartSpec,
  read: readonly VisibleTable[],
): Promise<void> {
  const visible = await readVisible(publications, read);
  for (const before of read) {
    const now = visible.find(({ layer, name }) => layer === before.layer && name === before.name);
    if (now === undefined) throw new Error(`${before.layer}.${before.name} was asked for and not answered`);
    if (hasSameContent(before, now)) continue;
    throw new PipelineError(
      'state_conflict',
      `${before.layer}.${before.name} was published again, in version ${now.sequence}, while ${mart.name} was built from version ` +
        `${before.sequence}: nobody can say which of the two the query read. Nothing was published. Clear the tasks that build the marts.`,
      { context: { layer: before.layer, table: before.name } },
    );
  }
}

/** Null where warehouse and publication both have what they should. */
function planBuild(
  mart: MartSpec,
  inputs: readonly MartInput[],
  loaded: ReadonlyMap<string, string> | 'absent',
  published: PublishedTable | undefined,
): Plan | null {
  const inWarehouse: Contents = loaded === 'absent' ? {} : Object.fromEntries(loaded);
  const inLake = readMartState(published).contents;
  const isNew = loaded === 'absent' || published === undefined;
  const expected = expectedContents(mart, inputs);
  if (expected.kind === 'whole') {
    const isCurrent = (contents: Contents) => Object.values(contents).every((made) => made === expected.fingerprint);
    const isSame = Object.keys(inWarehouse).sort().join() === Object.keys(inLake).sort().join();
    const hasRows = Object.keys(inLake).length > 0;
    if (!isNew && hasRows && isSame && isCurrent(inWarehouse) && isCurrent(inLake)) return null;
    return { days: null, fingerprints: { '': expected.fingerprint }, contents: null };
  }
  const days = partitionsToBuild(expected.contents, inWarehouse, inLake);
  const isGone = (contents: Contents) => Object.keys(contents).some((day) => !(day in expected.contents));
  if (!isNew && days.length === 0 && !isGone(inWarehouse) && !isGone(inLake)) return null;
  return {
    days,
    fingerprints: Object.fromEntries(days.map((day) => [day, expected.contents[day] ?? ''])),
    contents: expected.contents,
  };
}

async function buildAndStage(
  deps: BuildGoldDeps,
  context: TaskContext,
  warehouse: Warehouse,
  build: {
    readonly mart: MartSpec;
    readonly plan: Plan;
    readonly published: PublishedTable | undefined;
    readonly read: readonly VisibleTable[];
    readonly versions: MartState['versions'];
  },
): Promise<StagedTable> {
  const { mart, plan, published, read, versions } = build;
  const def = martDefinition(mart);
  const { days, fingerprints } = plan;
  const { rowsByPartition } = await warehouse
    .buildMart({ def, sql: mart.sql, days, fingerprints })
    .catch((thrown: unknown) => {
      throw placedInFile(thrown, mart);
    });
  await assertStillPublished(deps.publications, mart, read);
  const exported = await warehouse.exportBuilt(def, resolve(context.tempDir, mart.name));
  const staging = deps.publications.staging(context.run.dagId, context.run.runId, context.task.id, context.tryNumber);
  const partitions = await stagePartitions(
    staging,
    'gold',
    mart.name,
    exported.map(({ partition, localPath, rows }) => ({
      value: partition,
      path: pathOf(mart, partition),
      localPath,
      rows,
    })),
  );
  const made = plan.fingerprints[''] ?? '';
  const contents = plan.contents ?? Object.fromEntries(Object.keys(rowsByPartition).map((value) => [value, made]));
  const filled = new Set(partitions.map(({ value }) => value));
  context.log.info(`${mart.name}: ${counted(partitions.length, 'partition')} built`, { rows: rowsOf(partitions) });
  return {
    ...tableOf(mart, martState({ contents, versions })),
    unchanged: false,
    partitions,
    removed: Object.keys(published?.partitions ?? {})
      .filter((value) => !(value in contents) || (value in rowsByPartition && !filled.has(value)))
      .sort(),
    // A mart that is partitioned anew shares no partition with the one before.
    replacesAll: plan.days === null || (published !== undefined && published.partitionKey !== mart.partitionKey),
    account: { ...EMPTY_ACCOUNT, input: rowsOf(partitions), output: rowsOf(partitions) },
  };
}

function pathOf(mart: MartSpec, partition: string): string {
  return mart.partitionKey === null
    ? 'part-00000.parquet'
    : `${hivePartition(mart.partitionKey, partition)}/part-00000.parquet`;
}

/** What is published already for the run's days; of an unpartitioned mart, all of it. */
function unchanged({ run }: TaskContext, mart: MartSpec, published: PublishedTable | undefined): StagedTable {
  const partitions = Object.values(published?.partitions ?? {})
    .filter(({ value }) => mart.partitionKey === null || (run.firstDay <= value && value <= run.runDate))
    .sort((a, b) => (a.value < b.value ? -1 : 1));
  return {
    ...tableOf(mart, published?.state ?? {}),
    unchanged: true,
    partitions,
    removed: [],
    replacesAll: false,
    account: { ...EMPTY_ACCOUNT, input: rowsOf(partitions), output: rowsOf(partitions) },
  };
}

/** A fault of the query names file, line and column instead of its place in the SQL. */
function placedInFile(thrown: unknown, { name, sqlLocation }: MartSpec): unknown {
  if (!(thrown instanceof PipelineError && thrown.cause instanceof SqlFaultError)) return thrown;
  const { message, hint, line, column } = thrown.cause.fault;
  const { file } = sqlLocation;
  const place = `${file}:${sqlLocation.line + line - 1}:${line === 1 ? sqlLocation.column + column - 1 : column}`;
  return new PipelineError(thrown.code, `${place}: mart ${name}: ${message}${hint === null ? '' : ` ${hint}`}`, {
    context: { ...thrown.context, file },
    cause: thrown,
  });
}

export function martDefinition(mart: MartSpec): WarehouseTableDef {
  const { name, columns, partitionKey, clusterBy, description, warehouse } = mart;
  return {
    dataset: 'gold',
    table: name,
    columns,
    partitionKey,
    clusterBy,
    description,
    ...(warehouse === null ? {} : { options: warehouse }),
  };
}

function tableOf(
  mart: MartSpec,
  state: JsonObject,
): Omit<StagedTable, 'unchanged' | 'partitions' | 'removed' | 'replacesAll' | 'account'> {
  return {
    layer: 'gold',
    table: mart.name,
    columns: mart.columns.map(({ name, type }) => ({ name, type })),
    primaryKey: mart.grain,
    partitionKey: mart.partitionKey,
    quarantine: [],
    buildCounts: {},
    inputs: {},
    logicFingerprint: logicFingerprint(mart),
    state,
  };
}

function rowsOf(partitions: readonly DataPartition[]): number {
  return partitions.reduce((sum, partition) => sum + partition.rows, 0);
}
