/** Silver as this run leaves it -> one dim's snapshot for the run's date, staged. */
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { addDays, hivePartition } from '../../core/partition.ts';
import { heldTables, pinnedSequence, stagedTable } from '../../core/pinned-inputs.ts';
import {
  type LakeFiles,
  overlay,
  type PublicationStore,
  type TaskContext,
  type TaskHandler,
} from '../../core/ports.ts';
import { assertBalanced, EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { DimSpec } from '../../core/spec.ts';
import { stagePartitions } from '../../core/stage-partitions.ts';
import type { ColumnSchema, DataPartition, PublishedTable, RowAccount, StagedTable } from '../../core/types.ts';
import { toDuckDbExpression } from '../../engine/dialect.ts';
import { DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { duckDbType } from '../../engine/duckdb-types.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { writePartitions } from '../../engine/write-partitions.ts';

export interface BuildDimsDeps {
  readonly publications: PublicationStore;
  readonly lake: LakeFiles;
  readonly duckdb: { readonly memoryLimit: string; readonly threads: number };
}

/** Raised whenever the same silver makes another snapshot. */
const CODE_VERSION = 1;

/** The silver table that a dim is a snapshot of. */
interface Source {
  readonly columns: readonly ColumnSchema[];
  readonly partitions: readonly DataPartition[];
}

/**
 * Rows: those of the silver table of the dim's name for which `where` is true, with `@window_start` the run's first day and
 * `@window_end` the day after its last; columns as in silver, then the snapshot key and `as_of_dt`, both the run's date.
 * Only the partition of the run's date is staged, also where it has no row: an empty snapshot is for validation to refuse.
 * Nothing is written where the same silver made the same snapshot before, nor where this run holds the silver table back.
 *
 * @throws PipelineError `bronze_missing` where there is no such silver table yet; `sql_invalid`, `data_unreadable`
 */
export function createBuildDimsHandler(deps: BuildDimsDeps): TaskHandler {
  return async (context) => {
    const dim = context.spec.dims.find(({ name }) => name === context.task.tables[0]);
    if (!dim) throw new Error(`task ${context.task.id} builds ${context.task.tables[0]}, which is no dim of the spec`);
    const source = await readSource(deps, context, dim);
    const published = (await currentOf(deps, context, 'dims'))?.tables[dim.name];
    const { runDate, firstDay } = context.run;
    const logic = fingerprint([CODE_VERSION, dim.where, dim.primaryKey, dim.snapshotPartitionKey]);
    const input = `silver.${dim.name}@${runDate}`;
    const madeOf = fingerprint([
      logic,
      dim.where?.includes('@window_start') ? firstDay : null,
      source.partitions.map(({ value, fingerprint: content }) => [value, content]),
    ]);
    const known = published?.inputs[input];
    const snapshot = published?.partitions[runDate];
    const table = {
      layer: 'dims' as const,
      table: dim.name,
      columns: snapshotColumns(dim, source),
      primaryKey: dim.primaryKey,
      partitionKey: dim.snapshotPartitionKey,
      removed: [],
      replacesAll: false,
      quarantine: [],
      buildCounts: {},
      logicFingerprint: logic,
      state: { snapshot_dt: newestSnapshot(published, runDate) },
    };
    const heldBackBy = `silver.${dim.name}`;
    if (heldTables(context.outputs).has(heldBackBy)) {
      context.log.info(`dims.${dim.name} stays as it is, because ${heldBackBy} is held back`);
      const partitions = snapshot === undefined ? [] : [snapshot];
      return {
        kind: 'staged',
        staged: { ...table, unchanged: true, partitions, account: EMPTY_ACCOUNT, inputs: {}, heldBackBy },
      };
    }
    const isDone = known?.fingerprint === madeOf && snapshot !== undefined;
    const built = isDone
      ? { partitions: [snapshot], account: known.account }
      : await buildSnapshot(deps, context, dim, source);
    context.log.info(`dims.${dim.name}: ${built.account.output} of ${built.account.input} rows as of ${runDate}`);
    const staged: StagedTable = {
      ...table,
      unchanged: isDone,
      partitions: built.partitions,
      account: built.account,
      inputs: { [input]: { fingerprint: madeOf, account: built.account, wrote: [runDate] } },
    };
    return { kind: 'staged', staged };
  };
}

async function readSource(deps: BuildDimsDeps, context: TaskContext, dim: DimSpec): Promise<Source> {
  const published = (await currentOf(deps, context, 'silver'))?.tables[dim.name];
  const staged = stagedTable(context.outputs, 'silver', dim.name);
  const columns = staged?.columns ?? published?.columns;
  if (columns) return { columns, partitions: overlay(published, staged) };
  throw new PipelineError(
    'bronze_missing',
    `dims.${dim.name} is a snapshot of silver.${dim.name}, which has never been built. ` +
      `Deliver bronze for ${dim.name} and run the DAG that refreshes it.`,
    { context: { table: dim.name } },
  );
}

/** What this run pinned of a layer, else what is current. */
async function currentOf(deps: BuildDimsDeps, context: TaskContext, layer: 'silver' | 'dims') {
  const sequence = pinnedSequence(context.outputs, layer);
  if (sequence === undefined) return deps.publications.current(layer);
  return sequence === null ? null : deps.publications.at(layer, sequence);
}

async function buildSnapshot(
  deps: BuildDimsDeps,
  context: TaskContext,
  dim: DimSpec,
  source: Source,
): Promise<{ readonly partitions: readonly DataPartition[]; readonly account: RowAccount }> {
  const { firstDay, runDate, dagId, runId } = context.run;
  const parameters = { window_start: firstDay, window_end: addDays(runDate, 1) };
  const where = dim.where === null ? 'true' : toDuckDbExpression(dim.where, parameters, source.columns);
  const columns = snapshotColumns(dim, source);
  const day = `DATE ${literal(runDate)}`;
  const select = columns.map(({ name }) =>
    name === dim.snapshotPartitionKey || name === 'as_of_dt' ? `${day} AS ${identifier(name)}` : identifier(name),
  );
  const from = await relationOf(deps, source);
  await using session = await DuckDbSession.open({
    ...deps.duckdb,
    tempDir: join(context.tempDir, 'spill'),
    signal: context.signal,
  });
  const { input } = await session.one(`SELECT count(*) AS input FROM (${from})`);
  const [file] = await writePartitions(session, {
    query: `SELECT ${select.join(', ')} FROM (${from}) WHERE ${where}`,
    columns,
    // One partition, and a file even for no row: written as a whole table into the partition's folder.
    partitionKey: null,
    orderBy: dim.primaryKey,
    folder: join(context.tempDir, 'dims'),
  });
  if (!file) throw new Error(`no file was written for dims.${dim.name}`);
  const rows = Number(input);
  const account = {
    input: rows,
    output: file.rows,
    quarantined: 0,
    duplicates: 0,
    filtered: rows - file.rows,
    replaced: 0,
    byReason: {},
  };
  assertBalanced(account, `dims.${dim.name}`);
  const staging = deps.publications.staging(dagId, runId, context.task.id, context.tryNumber);
  const path = `${hivePartition(dim.snapshotPartitionKey, runDate)}/${file.path}`;
  return { partitions: await stagePartitions(staging, 'dims', dim.name, [{ ...file, value: runDate, path }]), account };
}

/** SELECT text of the silver rows; files of an older spec may lack columns. */
async function relationOf(deps: BuildDimsDeps, source: Source): Promise<string> {
  const paths = await deps.lake.localPaths(source.partitions.flatMap(({ files }) => files));
  const typed = source.columns.map(({ name, type }) => `NULL::${duckDbType(type)} AS ${identifier(name)}`).join(', ');
  const none = `SELECT ${typed} WHERE false`;
  if (paths.length === 0) return none;
  return `${none} UNION ALL BY NAME SELECT * FROM read_parquet(${fileList(paths)}, union_by_name = true, hive_partitioning = false)`;
}

function snapshotColumns(dim: DimSpec, source: Source): readonly ColumnSchema[] {
  const added = [dim.snapshotPartitionKey, 'as_of_dt'];
  return [
    ...source.columns.filter(({ name }) => !added.includes(name)),
    ...added.map((name): ColumnSchema => ({ name, type: 'date' })),
  ];
}

/** A run for an older date leaves the newest snapshot the newest. */
function newestSnapshot(published: PublishedTable | undefined, runDate: string): string {
  return [...Object.keys(published?.partitions ?? {}), runDate].sort().at(-1) ?? runDate;
}
