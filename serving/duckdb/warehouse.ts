/** The warehouse port on one DuckDB file: what is loaded is what the ledger says, and every change is one transaction. */
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { BuiltMart, LakeFiles, MartBuild, Warehouse, WarehouseTableDef } from '../../core/ports.ts';
import type { DataPartition, LoadReceipt, WarehouseJob } from '../../core/types.ts';
import { type DuckDbSession, fileList } from '../../engine/duckdb-session.ts';
import { identifiers } from '../../engine/sql-text.ts';
import { writePartitions } from '../../engine/write-partitions.ts';
import { checkFiles } from '../parquet/check-footers.ts';
import { columnSchemas, displayName } from '../table-columns.ts';
import { type DuckDbFileOptions, openDuckDbFile } from './file.ts';
import {
  builtEntries,
  createLedger,
  forgetBuilds,
  forgetLoads,
  loadedEntries,
  rememberLoads,
  transaction,
} from './ledger.ts';
import { buildMartTable } from './marts.ts';
import { createOrWiden, existingColumns } from './schema.ts';
import { buildTableName, inPartitions, tableName } from './tables.ts';

type SwapBuilds = Parameters<Warehouse['swapMarts']>[0];

/**
 * Holds the file until it is closed; a kill at any moment leaves the last committed state.
 * Schemas are the layers' names; `gold._build_<mart>` holds what is built and not yet visible, `assay` the ledger.
 *
 * @throws PipelineError `warehouse_unavailable` (retryable) where another process holds the file, `warehouse_rejected` where it is no database
 */
export async function openDuckDbWarehouse(
  options: DuckDbFileOptions & { readonly lake: LakeFiles },
): Promise<Warehouse> {
  const { session, close } = await openDuckDbFile(options);
  try {
    await createLedger(session);
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return new DuckDbWarehouse(session, options.lake, close);
}

class DuckDbWarehouse implements Warehouse {
  readonly #session: DuckDbSession;
  readonly #lake: LakeFiles;
  readonly #close: () => Promise<void>;

  constructor(session: DuckDbSession, lake: LakeFiles, close: () => Promise<void>) {
    this.#session = session;
    this.#lake = lake;
    this.#close = close;
  }

  async loaded(dataset: WarehouseTableDef['dataset'], table: string): Promise<ReadonlyMap<string, string> | 'absent'> {
    if ((await existingColumns(this.#session, { dataset, table })) === null) return 'absent';
    const entries = await loadedEntries(this.#session, { dataset, table });
    return new Map([...entries.values()].map((entry) => [entry.partition, entry.fingerprint]));
  }

  async ensureTable(def: WarehouseTableDef): Promise<void> {
    await transaction(this.#session, () => createOrWiden(this.#session, def));
  }

  async loadPartitions(
    def: WarehouseTableDef,
    partitions: readonly DataPartition[],
    removed: readonly string[],
  ): Promise<readonly LoadReceipt[]> {
    await this.ensureTable(def);
    const loaded = await loadedEntries(this.#session, def);
    const changed = partitions.filter(
      (partition) => loaded.get(partition.value)?.fingerprint !== partition.fingerprint,
    );
    const gone = removed.filter((value) => loaded.has(value));
    if (changed.length > 0 || gone.length > 0) await this.#replace(def, changed, gone);
    return partitions.map((partition) => ({
      table: displayName(def),
      partition: partition.value,
      rows: partition.rows,
      sizeBytes: partition.sizeBytes,
      jobId: jobId(def, partition),
      changed: changed.some((other) => other.value === partition.value),
    }));
  }

  async #replace(def: WarehouseTableDef, changed: readonly DataPartition[], gone: readonly string[]): Promise<void> {
    const session = this.#session;
    const files: { value: string; rows: number; localPaths: readonly string[] }[] = [];
    for (const { value, rows, files: stored } of changed)
      files.push({ value, rows, localPaths: await this.#lake.localPaths(stored) });
    await checkFiles(session, def, files);
    const paths = files.flatMap((partition) => partition.localPaths);
    const touched = [...changed.map(({ value }) => value), ...gone];
    await transaction(session, async () => {
      await session.run(`DELETE FROM ${tableName(def)} WHERE ${inPartitions(def, touched)}`);
      // BY NAME: files have their own order of columns, and older ones fewer of them.
      if (paths.length > 0) {
        const available = await session.describe(`SELECT * FROM ${parquet(paths)}`);
        const columns = def.columns
          .map(({ name }) => name)
          .filter((name) => available.some((column) => column.name === name));
        await session.run(
          `INSERT INTO ${tableName(def)} BY NAME SELECT ${identifiers(columns)} FROM ${parquet(paths)}`,
        );
      }
      await forgetLoads(session, def, touched);
      await rememberLoads(
        session,
        def,
        changed.map((partition) => ({
          partition: partition.value,
          fingerprint: partition.fingerprint,
          rows: partition.rows,
          sizeBytes: partition.sizeBytes,
          jobId: jobId(def, partition),
        })),
      );
    });
  }

  async buildMart(build: MartBuild): Promise<BuiltMart> {
    return transaction(this.#session, () => buildMartTable(this.#session, build));
  }

  /** Rows are ordered by all columns, in the order in which the definition names them. */
  async exportBuilt(
    def: WarehouseTableDef,
    folder: string,
  ): Promise<readonly { readonly partition: string; readonly localPath: string; readonly rows: number }[]> {
    const columns = columnSchemas(def);
    const names = columns.map(({ name }) => name);
    const written = await writePartitions(this.#session, {
      query: `SELECT ${identifiers(names)} FROM ${buildTableName(def)}`,
      columns,
      partitionKey: def.partitionKey,
      orderBy: names,
      folder,
    });
    return written.map(({ value, localPath, rows }) => ({ partition: value, localPath, rows }));
  }

  async swapMarts(builds: SwapBuilds, removed: { readonly [table: string]: readonly string[] }): Promise<void> {
    await transaction(this.#session, async () => {
      for (const build of builds) await this.#swap(build, removed[build.def.table] ?? []);
    });
  }

  async #swap({ def, days, fingerprints }: SwapBuilds[number], removed: readonly string[]): Promise<void> {
    const session = this.#session;
    await createOrWiden(session, def);
    const loaded = await loadedEntries(session, def);
    const wanted = Object.entries(fingerprints).filter(
      ([partition, made]) => loaded.get(partition)?.fingerprint !== made,
    );
    const gone =
      days === null
        ? [...loaded.keys()].filter((value) => !(value in fingerprints))
        : removed.filter((value) => loaded.has(value));
    const built = await builtEntries(session, def.table);
    if (wanted.length === 0 && gone.length === 0) {
      const isSpent = [...built.values()].every(
        (entry) => loaded.get(entry.partition)?.fingerprint === entry.fingerprint,
      );
      if (isSpent) await this.#dropBuild(def);
      return;
    }
    const missing = wanted.find(([partition, made]) => built.get(partition)?.fingerprint !== made);
    if (missing) throw notBuilt(def, missing[0]);
    const arriving = wanted.map(([partition]) => partition);
    await session.run(`DELETE FROM ${tableName(def)} WHERE ${inPartitions(def, [...arriving, ...gone])}`);
    if (arriving.length > 0) {
      const names = identifiers(def.columns.map(({ name }) => name));
      await session.run(
        `INSERT INTO ${tableName(def)} (${names}) SELECT ${names} FROM ${buildTableName(def)} WHERE ${inPartitions(def, arriving)}`,
      );
    }
    await forgetLoads(session, def, [...arriving, ...gone]);
    await rememberLoads(
      session,
      def,
      wanted.map(([partition, made]) => ({
        partition,
        fingerprint: made,
        rows: built.get(partition)?.rows ?? 0,
        sizeBytes: 0,
        jobId: `swap_${fingerprint([displayName(def), partition, made])}`,
      })),
    );
    await this.#dropBuild(def);
  }

  async #dropBuild(def: WarehouseTableDef): Promise<void> {
    await this.#session.run(`DROP TABLE IF EXISTS ${buildTableName(def)}`);
    await forgetBuilds(this.#session, def.table);
  }

  jobs(): readonly WarehouseJob[] {
    return [];
  }

  async close(): Promise<void> {
    await this.#close();
  }
}

function parquet(paths: readonly string[]): string {
  return `read_parquet(${fileList(paths)}, union_by_name = true, hive_partitioning = false)`;
}

/** The same content into the same partition is the same job, whoever asks and how often. */
function jobId(def: WarehouseTableDef, partition: DataPartition): string {
  return `load_${fingerprint([displayName(def), partition.value, partition.fingerprint])}`;
}

function notBuilt(def: WarehouseTableDef, partition: string): PipelineError {
  const what = partition === '' ? '' : `, partition ${partition}`;
  return new PipelineError(
    'state_conflict',
    `Nothing is built for ${displayName(def)}${what}: another run has built the mart since, or the warehouse file is a new one. ` +
      'No mart was changed. Clear the task that builds it, then this one.',
    { context: { table: displayName(def), partition } },
  );
}
