/** A lake and a warehouse in a temporary folder: enriched tables published from SQL, marts built and published by the real handlers. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { intervalOfDays } from '../../core/partition.ts';
import type { OpenWarehouse, TaskContext, TaskHandler, Warehouse } from '../../core/ports.ts';
import type { MartSpec, Spec } from '../../core/spec.ts';
import type { Day, Layer, Publication, StagedTable, Task, TaskKind, TaskOutput } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { openDuckDbWarehouse } from '../../serving/duckdb/warehouse.ts';
import { createPublishHandler } from '../../storage/publish-handler.ts';
import { createBuildGoldHandler } from '../../transforms/gold/build-gold.ts';
import { createLoadHandler } from '../../transforms/gold/load.ts';
import { createPublishGoldHandler } from '../../transforms/gold/publish-gold.ts';
import { restoreMarts } from '../../transforms/gold/restore-marts.ts';
import { EnrichedLake } from './enriched-lake.ts';
import { openMemoryStore } from './memory-store.ts';
import { queryRows } from './query-rows.ts';
import { withTempFolder } from './temp-folder.ts';

/** Where a run dies, as if the process had been killed: right before or right after a step. */
export type Crash = `${'before' | 'after'} ${'loadPartitions' | 'buildMart' | 'exportBuilt' | 'publish' | 'swapMarts'}`;

export interface GoldRun {
  readonly runDate: Day;
  readonly firstDay?: Day;
  readonly runId?: string;
  readonly crash?: Crash;
  /** What somebody else does at that moment. */
  readonly meanwhile?: { readonly at: Crash; readonly act: () => Promise<unknown> };
}

export class CrashError extends Error {}

export class GoldLake {
  readonly lake: EnrichedLake;
  readonly warehousePath: string;
  /** Methods of the warehouse in the order of their calls. */
  readonly calls: string[] = [];
  /** What each build saw of gold; the publish task finds it among its outputs. */
  readonly #basedOn = new Map<StagedTable, number | null | undefined>();
  readonly #folder: string;
  #spec: Spec;
  #step = 0;

  constructor(session: DuckDbSession, folder: string, marts: readonly MartSpec[]) {
    this.lake = new EnrichedLake(session, folder, openMemoryStore(join(folder, 'lake')));
    this.warehousePath = join(folder, 'warehouse.duckdb');
    this.#folder = folder;
    this.#spec = specOf(marts);
  }

  /** What the user edits between two runs. */
  edit(...marts: readonly MartSpec[]): void {
    this.#spec = specOf(marts);
  }

  async load(layer: Layer, table: string, run: GoldRun): Promise<TaskOutput> {
    const handler = createLoadHandler({
      publications: this.lake.publications,
      openWarehouse: this.#opener(run),
    });
    return handler(await this.#context('load', layer, [table], run, {}));
  }

  async build(mart: string, run: GoldRun): Promise<StagedTable> {
    const handler = createBuildGoldHandler({
      publications: this.lake.publications,
      openWarehouse: this.#opener(run),
    });
    const output = await handler(await this.#context('build', 'gold', [mart], run, {}));
    if (output.kind !== 'staged') throw new Error(`the handler gave ${output.kind}`);
    this.#basedOn.set(output.staged, output.basedOn);
    return output.staged;
  }

  async publish(staged: readonly StagedTable[], run: GoldRun): Promise<TaskOutput> {
    const outputs = Object.fromEntries(
      staged.map((table) => {
        const basedOn = this.#basedOn.get(table);
        const output = { kind: 'staged', staged: table, ...(basedOn === undefined ? {} : { basedOn }) } as const;
        return [`build.${table.table}`, output];
      }),
    );
    const tables = staged.map(({ table }) => table);
    const publish: TaskHandler = async (context) => {
      crashAt(run, 'before publish');
      const output = await createPublishHandler({ publications: this.lake.publications })(context);
      if (run.meanwhile?.at === 'after publish') await run.meanwhile.act();
      crashAt(run, 'after publish');
      return output;
    };
    const handler = createPublishGoldHandler({
      publications: this.lake.publications,
      openWarehouse: this.#opener(run),
      publish,
    });
    return handler(await this.#context('publish', 'gold', tables, run, outputs));
  }

  /** Builds all marts and publishes them. */
  async run(run: GoldRun): Promise<readonly StagedTable[]> {
    const staged: StagedTable[] = [];
    for (const { name } of this.#spec.marts) staged.push(await this.build(name, run));
    await this.publish(staged, run);
    return staged;
  }

  /** As `assay rollback gold` does. */
  async rollBack(toSequence: number): Promise<void> {
    const { publications } = this.lake;
    const shown = await publications.rollback('gold', toSequence, { dagId: 'rollback', runId: `to-${toSequence}` });
    const context = await this.#context('publish', 'gold', [], { runDate: '2025-03-01' }, {});
    const warehouse = await this.#opener({ runDate: '2025-03-01' })(context);
    try {
      await restoreMarts(publications, warehouse, this.#spec.marts, shown);
    } finally {
      await warehouse.close();
    }
  }

  /** Rows of a query over what is published, as text. */
  async query(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    const answer = await queryRows({
      publications: this.lake.publications,
      lake: this.lake.files,
      sql,
      maxRows: 1000,
      maxSeconds: 30,
    });
    return asText(answer.rows);
  }

  /** The same of the warehouse, in DuckDB's SQL. */
  async inWarehouse(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    await using session = await DuckDbSession.open({ path: this.warehousePath });
    return asText((await session.rows(sql)).map((row) => Object.values(row)));
  }

  gold(): Promise<Publication | null> {
    return this.lake.publications.current('gold');
  }

  #opener(run: GoldRun): OpenWarehouse {
    return async ({ signal }) => {
      const warehouse = await openDuckDbWarehouse({
        path: this.warehousePath,
        lake: this.lake.files,
        threads: 1,
        signal,
        lockWaitMs: 0,
      });
      return new Proxy(warehouse, {
        get: (target, name: keyof Warehouse & string) => {
          const method: unknown = target[name];
          // A proxy that is awaited is asked for `then`.
          if (typeof method !== 'function') return method;
          if (name === 'jobs') return method.bind(target);
          return async (...args: unknown[]) => {
            this.calls.push(name);
            crashAt(run, `before ${name}`);
            if (run.meanwhile?.at === `before ${name}`) await run.meanwhile.act();
            const result: unknown = await method.apply(target, args);
            if (run.meanwhile?.at === `after ${name}`) await run.meanwhile.act();
            crashAt(run, `after ${name}`);
            return result;
          };
        },
      });
    };
  }

  async #context(
    kind: TaskKind,
    layer: Layer,
    tables: readonly string[],
    run: GoldRun,
    outputs: TaskContext['outputs'],
  ): Promise<TaskContext> {
    this.#step += 1;
    const tempDir = join(this.#folder, `gold-task-${this.#step}`);
    await mkdir(tempDir, { recursive: true });
    const firstDay = run.firstDay ?? run.runDate;
    const quiet = () => undefined;
    return {
      spec: this.#spec,
      task: taskOf(kind, layer, tables),
      run: {
        dagId: 'dag',
        runId: run.runId ?? `run-${run.runDate}`,
        interval: intervalOfDays(firstDay, run.runDate, 'UTC'),
        firstDay,
        runDate: run.runDate,
        conf: {},
      },
      tryNumber: this.#step,
      outputs,
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      signal: new AbortController().signal,
      tempDir,
      holdTimeout: () => {},
    };
  }
}

/** A lake with these marts, gone afterwards. */
export async function withGoldLake<T>(marts: readonly MartSpec[], work: (lake: GoldLake) => Promise<T>): Promise<T> {
  return withTempFolder(async (folder) => {
    await using session = await DuckDbSession.open({ threads: 1 });
    return await work(new GoldLake(session, folder, marts));
  });
}

/** A mart with what matters to a test; the rest is as bare as it may be. */
export function martOf(
  words: Pick<MartSpec, 'name' | 'grain' | 'partitionKey' | 'columns' | 'sql' | 'inputs'> & Partial<MartSpec>,
): MartSpec {
  return {
    description: '',
    clusterBy: [],
    sqlLocation: { file: 'specs/shop/marts/mart.sql', line: 5, column: 1 },
    reads: {},
    checks: [],
    warehouse: null,
    metrics: null,
    location: { file: 'mart.sql', line: 1, column: 1 },
    ...words,
  };
}

function crashAt({ crash }: GoldRun, place: string): void {
  if (crash === place) throw new CrashError(`killed ${place}`);
}

function asText(rows: readonly (readonly unknown[])[]): readonly (readonly (string | null)[])[] {
  return rows.map((row) => row.map((value) => (value === null || value === undefined ? null : String(value))));
}

function taskOf(kind: TaskKind, layer: Layer, tables: readonly string[]): Task {
  return {
    id: `${kind}_${layer}.${tables.join('_')}`,
    kind,
    layer,
    tables,
    group: null,
    upstream: [],
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    pool: 'warehouse',
    priority: 0,
    params: {},
  };
}

function specOf(marts: readonly MartSpec[]): Spec {
  return {
    pipeline: 'test',
    owner: '',
    params: {},
    timezone: 'UTC',
    nullValues: [],
    maxQuarantinePct: 5,
    maxRowLossPct: 1,
    reportDir: 'reports',
    tables: [],
    dims: [],
    transforms: [],
    marts,
    dags: [],
    folder: 'specs/test',
    fingerprint: 'spec',
  };
}
