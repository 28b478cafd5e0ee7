/** Pinned bronze of one table + the pinned silver publication -> the staged silver partitions, quarantine and row account. */
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { pinnedBronze, pinnedSequence, stagedTable } from '../../core/pinned-inputs.ts';
import {
  type BronzeFiles,
  type LakeFiles,
  overlay,
  type PublicationStore,
  type TaskContext,
  type TaskHandler,
} from '../../core/ports.ts';
import { addAccounts } from '../../core/row-account.ts';
import type { TableSpec } from '../../core/spec.ts';
import { stagePartitions } from '../../core/stage-partitions.ts';
import type { DataFile, Publication, PublishedTable, StagedTable } from '../../core/types.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifiers } from '../../engine/sql-text.ts';
import { type WrittenFile, writePartitions } from '../../engine/write-partitions.ts';
import { accountBatch, IS_GOOD } from './account-batch.ts';
import { type FileGroup, orNameTheFile, readBronzeFooters } from './bronze-files.ts';
import { type BuildMemory, parseMemory, recall, renderMemory } from './build-memory.ts';
import { type HeldSilver, heldRows, openHeld } from './held-silver.ts';
import { judgeKeys } from './judge-keys.ts';
import { baseSettings, inputFingerprint, logicFingerprint } from './logic-fingerprint.ts';
import { bronzePlace, planBase } from './plan-base.ts';
import { selectWork, type Work } from './select-work.ts';
import { type SilverColumns, silverColumns, undeclaredColumns } from './silver-columns.ts';
import { writeQuarantine } from './write-quarantine.ts';

export interface BuildSilverDeps {
  readonly bronze: BronzeFiles;
  readonly lake: LakeFiles;
  readonly publications: PublicationStore;
  readonly strictForeignKeys: boolean;
  readonly duckdb: { readonly memoryLimit: string; readonly threads: number };
}

/** One build: everything that is known before a row is read. */
interface Build {
  readonly deps: BuildSilverDeps;
  readonly context: TaskContext;
  readonly table: TableSpec;
  readonly logic: string;
  readonly publication: Publication | null;
  readonly published: PublishedTable | undefined;
  readonly work: Work;
  readonly memory: BuildMemory;
}

/**
 * Input: the table's pinned bronze partitions. Output: every silver partition that they touch, whole, in primary-key order, one row per
 * key over the whole table; columns as declared, then `ingestion_dt` and lineage.
 *
 * A partition whose content and logic are those of the publication is not read again. One that is read again replaces what silver has
 * of it; older silver rows that lose against a new one are taken out of their partition. A change of the table's logic rebuilds the
 * pinned partitions only: run the other days again to bring them to it.
 * Running it twice stages the same bytes.
 *
 * @throws PipelineError `bronze_missing`, `bronze_unreadable`, `bronze_schema`, `spec_invalid`, `sql_invalid`, `row_account_broken`,
 *   `out_of_memory` (retryable), `storage_full` (retryable)
 */
export function createBuildSilverHandler(deps: BuildSilverDeps): TaskHandler {
  return async (context) => {
    const build = await prepare(deps, context);
    const staged = build.work.todo.length === 0 ? unchanged(build) : await rebuild(build);
    const { account } = staged;
    context.log.info(
      `silver.${build.table.name}: ${account.input} in, ${account.output} out, ${account.quarantined} quarantined, ` +
        `${account.duplicates} duplicates, ${account.replaced} replaced${staged.unchanged ? ' (nothing new)' : ''}`,
      { table: build.table.name, partitions: staged.partitions.length },
    );
    return { kind: 'staged', staged };
  };
}

async function prepare(deps: BuildSilverDeps, context: TaskContext): Promise<Build> {
  const name = context.task.tables[0];
  const table = context.spec.tables.find((candidate) => candidate.name === name);
  if (!table) throw new Error(`task ${context.task.id} builds ${name}, which the spec does not declare`);
  const pinned = pinnedBronze(context.outputs, table.name);
  if (!pinned) throw new Error(`no pin task upstream of ${context.task.id} covers ${table.name}`);
  const sequence = pinnedSequence(context.outputs, 'silver') ?? null;
  const publication = sequence === null ? null : await deps.publications.at('silver', sequence);
  const published = publication?.tables[table.name];
  const logic = logicFingerprint(table, baseSettings(context.spec, deps.strictForeignKeys));
  const work = selectWork(pinned, published, logic);
  return { deps, context, table, logic, publication, published, work, memory: parseMemory(published) };
}

/** What is published of the pinned partitions, with the accounts of the builds that made it. */
function unchanged({ table, logic, published, work, memory }: Build): StagedTable {
  const wrote = new Set(work.done.flatMap(({ record }) => record.wrote));
  const { counts, quarantine } = recall(
    memory,
    work.done.map(({ partition }) => partition),
  );
  return {
    layer: 'silver',
    table: table.name,
    columns: published?.columns ?? (table.columns.length > 0 ? silverColumns(table, [], []).output : []),
    primaryKey: table.primaryKey,
    partitionKey: table.partitionKey,
    unchanged: true,
    partitions: Object.values(published?.partitions ?? {})
      .filter(({ value }) => wrote.has(value))
      .sort((a, b) => (a.value < b.value ? -1 : 1)),
    removed: [],
    replacesAll: false,
    account: addAccounts(work.done.map(({ record }) => record.account)),
    quarantine,
    buildCounts: counts,
    inputs: Object.fromEntries(work.done.map(({ partition, record }) => [partition, record])),
    logicFingerprint: published?.logicFingerprint ?? logic,
    state: published?.state ?? {},
  };
}

async function rebuild(build: Build): Promise<StagedTable> {
  const { deps, context, table, work } = build;
  await using session = await DuckDbSession.open({
    ...deps.duckdb,
    tempDir: join(context.tempDir, 'spill'),
    signal: context.signal,
  });
  const groups = await readBronzeFooters(session, deps.bronze, work.todo);
  const isUnknown = groups.length === 0 && table.columns.length === 0 && !build.published;
  if (isUnknown) return unchanged(build);
  const columns = silverColumns(table, groups, build.published?.columns ?? []);
  const places = work.todo.map(({ partition }) => bronzePlace(table, partition));
  const plan = planBase(table, columns, groups, places, baseSettings(context.spec, deps.strictForeignKeys));
  await readRows(session, table, groups, plan.statements);
  const held = await openHeld(
    session,
    deps.lake,
    build.published,
    work.todo.map(({ partition }) => partition),
  );
  await judgeKeys(session, {
    table,
    output: columns.output,
    held,
    strictForeignKeys: deps.strictForeignKeys,
    parentPaths: (parent) => parentPaths(build, parent),
  });

  const undeclared = undeclaredColumns(table, columns.columns, groups);
  if (undeclared.length > 0) {
    context.log.warn(`silver.${table.name} does not read these bronze columns: ${undeclared.join(', ')}`, {
      undeclared,
    });
  }
  const accounts = await accountBatch(session, table, plan, groups, places, undeclared);
  const touched = await touchedValues(
    session,
    build,
    held,
    accounts.flatMap(({ wrote }) => wrote),
  );
  const written = await writeSilver(session, table, columns, held, touched, join(context.tempDir, 'silver'));
  const heldBack = await writeQuarantine(session, table, groups, join(context.tempDir, 'quarantine'));
  return stage(build, columns, { accounts, touched, written, heldBack });
}

async function readRows(
  session: DuckDbSession,
  table: TableSpec,
  groups: readonly FileGroup[],
  statements: readonly string[],
): Promise<void> {
  try {
    await orNameTheFile(
      session,
      groups.flatMap((group) => group.files),
      async () => {
        for (const statement of statements) await session.run(statement);
      },
    );
  } catch (thrown) {
    const fault = /^(Binder|Conversion|Out of Range|Invalid Input) Error:.*/.exec(
      String((thrown as Error).message),
    )?.[0];
    if (thrown instanceof PipelineError || fault === undefined) throw thrown;
    throw new PipelineError(
      'sql_invalid',
      `silver.${table.name}: an expression of the spec cannot be computed over the table's columns: ${fault.replace(/\.$/, '')}. ` +
        `Check \`when\` and \`expr\` in ${table.location.file}.`,
      { context: { table: table.name }, cause: thrown },
    );
  }
}

/** What readers would see of the parent after this run. */
async function parentPaths(build: Build, parent: string): Promise<readonly string[]> {
  const staged = stagedTable(build.context.outputs, 'silver', parent);
  const partitions = overlay(build.publication?.tables[parent], staged);
  return build.deps.lake.localPaths(partitions.flatMap(({ files }) => files));
}

/** Silver partitions to be written anew: where rows go now, where rows of the same bronze partitions went before, and where one is beaten. */
async function touchedValues(
  session: DuckDbSession,
  build: Build,
  held: HeldSilver,
  wrote: readonly string[],
): Promise<ReadonlySet<string>> {
  const beaten = await session.rows('SELECT DISTINCT __held_file FROM beaten');
  return new Set([
    ...wrote,
    ...build.work.todo.flatMap(({ partition }) => build.published?.inputs[partition]?.wrote ?? []),
    ...beaten.map((row) => held.values[Number(row.__held_file)] ?? ''),
  ]);
}

async function writeSilver(
  session: DuckDbSession,
  table: TableSpec,
  columns: SilverColumns,
  held: HeldSilver,
  touched: ReadonlySet<string>,
  folder: string,
): Promise<readonly WrittenFile[]> {
  const names = identifiers(columns.output.map(({ name }) => name));
  const rewritten = held.values.flatMap((value, index) => (touched.has(value) ? [index] : []));
  const kept = `SELECT ${names} FROM (${heldRows(held, columns.output, rewritten)}) ANTI JOIN beaten USING (__held_file, __held_row)`;
  return writePartitions(session, {
    query: `SELECT ${names} FROM scored WHERE ${IS_GOOD}${rewritten.length > 0 ? ` UNION ALL ${kept}` : ''}`,
    columns: columns.output,
    partitionKey: table.partitionKey,
    orderBy: table.primaryKey.length > 0 ? table.primaryKey : columns.output.map(({ name }) => name),
    folder,
  });
}

interface Built {
  readonly accounts: Awaited<ReturnType<typeof accountBatch>>;
  readonly touched: ReadonlySet<string>;
  readonly written: readonly WrittenFile[];
  readonly heldBack: WrittenFile | null;
}

async function stage(build: Build, columns: SilverColumns, built: Built): Promise<StagedTable> {
  const { context, deps, table, logic, published, work } = build;
  const staging = deps.publications.staging(context.run.dagId, context.run.runId, context.task.id, context.tryNumber);
  const partitions = await stagePartitions(staging, 'silver', table.name, built.written);
  const quarantine = built.heldBack ? await staging.stageFiles('quarantine', table.name, [built.heldBack]) : [];

  const memory = { ...build.memory, ...remember(built, quarantine) };
  const pinned = [...work.done.map(({ partition }) => partition), ...work.todo.map(({ partition }) => partition)];
  const recalled = recall(memory, pinned);
  const values = new Set(partitions.map(({ value }) => value));
  const records = work.todo.map(({ partition, fingerprint }, place) => {
    const own = built.accounts[place];
    if (!own) throw new Error(`no account for bronze partition ${partition}`);
    return [
      partition,
      { fingerprint: inputFingerprint(fingerprint, logic), account: own.account, wrote: own.wrote },
    ] as const;
  });
  const inputs = Object.fromEntries([
    ...work.done.map(({ partition, record }) => [partition, record] as const),
    ...records,
  ]);
  return {
    layer: 'silver',
    table: table.name,
    columns: columns.output,
    primaryKey: table.primaryKey,
    partitionKey: table.partitionKey,
    unchanged: false,
    partitions,
    removed: [...built.touched]
      .filter((value) => !values.has(value) && published?.partitions[value] !== undefined)
      .sort(),
    replacesAll: false,
    account: addAccounts(Object.values(inputs).map(({ account }) => account)),
    quarantine: recalled.quarantine,
    buildCounts: recalled.counts,
    inputs,
    logicFingerprint: logic,
    state: renderMemory(memory),
  };
}

function remember({ accounts }: Built, quarantine: readonly DataFile[]): BuildMemory {
  return Object.fromEntries(
    accounts.map(({ partition, account, counts }) => [
      partition,
      { counts, quarantine: account.quarantined + account.duplicates > 0 ? quarantine : [] },
    ]),
  );
}
