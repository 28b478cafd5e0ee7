/** One enriched table and the publications of a run -> its touched partitions, rebuilt and staged. */
import { resolve } from 'node:path';
import { asPipelineError, PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { heldTables, pinnedSequence, stagedTable } from '../../core/pinned-inputs.ts';
import type { LakeFiles, PublicationReader, PublicationStore, TaskContext, TaskHandler } from '../../core/ports.ts';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { TransformSpec } from '../../core/spec.ts';
import { stagePartitions } from '../../core/stage-partitions.ts';
import { transformInputs } from '../../core/transform-inputs.ts';
import type {
  DataPartition,
  Day,
  Publication,
  PublishedLayer,
  PublishedTable,
  RowAccount,
  StagedTable,
} from '../../core/types.ts';
import { type DuckDbOptions, DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import { writePartitions } from '../../engine/write-partitions.ts';
import { type BoundInput, bindInputs, inputHints, type Readable, tableVersion } from './bind-inputs.ts';
import { type DayRange, FIRST_DAY, inRanges } from './day-ranges.ts';
import { type DayWindow, RUN_DATE_COLUMN } from './define-transform.ts';
import { explainConversions } from './explain-conversions.ts';
import { type ChangeQuestion, findChangedDays, hasChanged, type TableVersions } from './find-changed-days.ts';
import { type LocalInputs, type LocalTable, withinDays } from './input-query.ts';
import { createLoadTransform, type LoadTransform } from './load-transform.ts';
import {
  type BuildState,
  type ChangedDays,
  planDays,
  readRanges,
  rememberSnapshot,
  stateFromJson,
  stateToJson,
} from './plan-days.ts';
import { type ResolvedTransform, resolveTransform } from './resolve-transform.ts';
import { runTransform } from './run-transform.ts';

export interface BuildEnrichedDeps {
  readonly lake: LakeFiles;
  readonly publications: PublicationStore;
  readonly duckdb: Pick<DuckDbOptions, 'memoryLimit' | 'threads'>;
  /** Modules named in a spec lie under `<project root>/<folder of the spec>`. */
  readonly projectRoot: string;
  readonly loadTransform?: LoadTransform;
}

/** A table that may be built. */
interface Table {
  readonly transform: ResolvedTransform;
  readonly readable: Readable;
  readonly published: PublishedTable | undefined;
  readonly state: BuildState | null;
  readonly runDate: Day;
}

/** Everything one build decides from. */
interface Build extends Table {
  readonly inputs: readonly BoundInput[];
}

/** What to write, decided before anything is read. */
interface Plan {
  readonly ranges: (input: string) => readonly DayRange[];
  /** Null: the snapshot of the run date. */
  readonly touched: readonly DayRange[] | null;
  readonly replacesAll: boolean;
  readonly state: BuildState;
}

/**
 * Day tables: compares the inputs with the versions that the published table was built from and rewrites the days that
 * changed rows can bear on, up to the newest run date so far. Snapshots: rebuilds the run date's partition where any input changed.
 * A table that is new, or whose code, parameters or keys changed, is rebuilt for all days (a snapshot: for the run date).
 * Twice on the same publications stages the same rows, or reports the table as unchanged. The published table is only read.
 * Where this run holds an input back, nothing is built and the table is held back too.
 *
 * @throws PipelineError `transform_invalid`, `transform_failed`, `data_unreadable`, `out_of_memory`, `storage_full`
 */
export function createBuildEnrichedHandler(deps: BuildEnrichedDeps): TaskHandler {
  return async (context) => {
    const spec = transformSpec(context);
    const held = heldTables(context.outputs);
    const heldBackBy = transformInputs(context.spec, spec).find((input) => held.has(input));
    const base = await prepareTable(deps, context, spec);
    if (heldBackBy !== undefined) {
      context.log.info(`enriched.${spec.name} stays as it is, because ${heldBackBy} is held back`);
      return { kind: 'staged', staged: { ...unchanged(context, base), heldBackBy } };
    }
    const build: Build = { ...base, inputs: bindInputs(base.transform.definition, context.spec, base.readable) };
    for (const hint of inputHints(build.inputs, context.spec, build.readable)) context.log.info(hint);
    const { window } = build.transform;
    const staged =
      window === 'as_of' ? await buildSnapshot(deps, context, build) : await buildDays(deps, context, build, window);
    return { kind: 'staged', staged };
  };
}

async function prepareTable(deps: BuildEnrichedDeps, context: TaskContext, spec: TransformSpec): Promise<Table> {
  const load =
    deps.loadTransform ?? createLoadTransform((path) => resolve(deps.projectRoot, context.spec.folder, path));
  const { definition, codeHash } = await load(spec.implementation);
  const transform = resolveTransform(definition, spec, context.spec.params, codeHash);
  const { runDate } = context.run;
  const readable: Readable = {
    silver: await readPublication(deps.publications, context, 'silver'),
    dims: await readPublication(deps.publications, context, 'dims'),
    enriched: await deps.publications.current('enriched'),
    staged: (name) => stagedTable(context.outputs, 'enriched', name),
    runDate,
  };
  const published = readable.enriched?.tables[transform.name];
  return {
    transform,
    readable,
    published,
    state: stateFromJson(published?.state),
    runDate,
  };
}

function transformSpec(context: TaskContext): TransformSpec {
  const [name] = context.task.tables;
  const spec = context.spec.transforms.find((transform) => transform.name === name);
  if (!spec) throw new Error(`task ${context.task.id} builds ${name ?? 'nothing'}, which the spec does not have`);
  return spec;
}

/** What this run published of the layer, else what it pinned, else what is current. */
async function readPublication(
  publications: PublicationReader,
  context: TaskContext,
  layer: PublishedLayer,
): Promise<Publication | null> {
  const published = Object.values(context.outputs).flatMap((output) =>
    output.kind === 'published' && output.publication.layer === layer ? [output.publication.sequence] : [],
  );
  const sequence = published.length > 0 ? Math.max(...published) : pinnedSequence(context.outputs, layer);
  if (sequence === undefined) return publications.current(layer);
  // 0: the run has published, but the layer has no version, because nothing of it is visible yet.
  return sequence === null || sequence === 0 ? null : publications.at(layer, sequence);
}

// ------------------------------------------------------------------ snapshots

async function buildSnapshot(deps: BuildEnrichedDeps, context: TaskContext, build: Build): Promise<StagedTable> {
  const { runDate, state, published, inputs, transform } = build;
  const madeOf = fingerprint([
    transform.logicFingerprint,
    ...inputs.map(({ name, table }) => [
      name,
      (table?.partitions ?? []).map((partition) => [partition.value, partition.fingerprint]),
    ]),
  ]);
  if (published?.partitions[runDate] && state?.built[runDate] === madeOf) return unchanged(context, build);
  const upToRunDate: readonly DayRange[] = [{ from: FIRST_DAY, to: runDate }];
  return writeTable(deps, context, build, {
    ranges: () => upToRunDate,
    touched: null,
    replacesAll: false,
    state: { ...nextState(build), built: rememberSnapshot(state?.built ?? {}, runDate, madeOf) },
  });
}

// ------------------------------------------------------------------ day tables

async function buildDays(
  deps: BuildEnrichedDeps,
  context: TaskContext,
  build: Build,
  window: DayWindow,
): Promise<StagedTable> {
  const before = await versionsBefore(deps.publications, build);
  const { changed, isWhole } = await changedSince(deps, context, build, before);
  const state = nextState(build);
  const days = planDays(changed, window, state.asOf, isWhole ? [] : (build.state?.deferred ?? []));
  if (days.touched.length === 0 && !isWhole) return unchanged(context, build);
  return writeTable(deps, context, build, {
    ranges: (input) => readRanges(days.touched, window, build.transform.definition.inputs[input]?.reach),
    touched: days.touched,
    replacesAll: isWhole && build.published !== undefined,
    state: { ...state, deferred: days.deferred },
  });
}

/** The inputs that the published table was built from; null where it must be built anew. */
async function versionsBefore(publications: PublicationReader, build: Build): Promise<TableVersions | null> {
  const { published, state, transform, readable } = build;
  if (!published || !state || published.logicFingerprint !== transform.logicFingerprint) return null;
  const silver = state.silver === null ? null : await publicationIfKept(publications, 'silver', state.silver);
  if (silver === 'gone') return null;
  return Object.fromEntries(
    build.inputs.map(({ name, table }) => {
      // A new snapshot of a dim rewrites nothing by itself: days keep what was known of customers and products then.
      if (table?.layer === 'dims') return [name, table];
      return [name, tableVersion(table?.layer === 'enriched' ? readable.enriched : silver, name)];
    }),
  );
}

async function publicationIfKept(
  publications: PublicationReader,
  layer: PublishedLayer,
  sequence: number,
): Promise<Publication | 'gone'> {
  try {
    return await publications.at(layer, sequence);
  } catch (thrown) {
    if (asPipelineError(thrown).code === 'publication_not_found') return 'gone';
    throw thrown;
  }
}

async function changedSince(
  deps: BuildEnrichedDeps,
  context: TaskContext,
  build: Build,
  before: TableVersions | null,
): Promise<{ readonly changed: readonly ChangedDays[]; readonly isWhole: boolean }> {
  const now: TableVersions = Object.fromEntries(build.inputs.map(({ name, table }) => [name, table]));
  const question = (versions: TableVersions): ChangeQuestion => ({
    transform: build.transform.name,
    inputs: build.inputs,
    before: versions,
    now,
  });
  if (before && !hasChanged(question(before))) return { changed: [], isWhole: false };
  await using session = await openSession(deps, context);
  if (before) {
    try {
      return { changed: await findChangedDays(session, deps.lake, question(before)), isWhole: false };
    } catch (thrown) {
      const { code } = asPipelineError(thrown);
      if (code !== 'object_not_found' && code !== 'data_unreadable') throw thrown;
      context.log.warn('The files of an earlier silver version are gone: all days are rebuilt.', { code });
    }
  }
  return { changed: await findChangedDays(session, deps.lake, question({})), isWhole: true };
}

// ------------------------------------------------------------------ what both do

function nextState(build: Table): BuildState {
  const { readable, runDate, state } = build;
  return {
    silver: readable.silver?.sequence ?? null,
    dims: readable.dims?.sequence ?? null,
    asOf: state && state.asOf > runDate ? state.asOf : runDate,
    deferred: [],
    built: {},
  };
}

async function writeTable(
  deps: BuildEnrichedDeps,
  context: TaskContext,
  build: Build,
  plan: Plan,
): Promise<StagedTable> {
  const { transform, runDate, published } = build;
  await using session = await openSession(deps, context);
  const inputs = await fetchInputs(deps.lake, build.inputs);
  const output = await runTransform(session, {
    transform,
    inputs,
    ranges: plan.ranges,
    runDate,
    folder: context.tempDir,
  });
  if (plan.touched) await assertDated(session, transform, output);
  const where = plan.touched ? `WHERE ${withinDays(transform.partitionKey, plan.touched)}` : '';
  const misfit = {
    explain: (refusal: string) =>
      `Transform ${transform.name}: ${refusal}. A value does not fit the declared type of its column.`,
    context: { transform: transform.name },
  };
  const written = await explainConversions(misfit, () =>
    writePartitions(session, {
      query: `SELECT *, DATE ${literal(runDate)} AS ${identifier(RUN_DATE_COLUMN)} FROM read_parquet(${literal(output)}) ${where}`,
      columns: transform.columns,
      partitionKey: transform.partitionKey,
      // The declared key is unique even where the spec names fewer columns.
      orderBy: [...new Set([...transform.primaryKey, ...transform.definition.primaryKey])],
      folder: resolve(context.tempDir, 'partitions'),
    }),
  );
  const { dagId, runId } = context.run;
  const staging = deps.publications.staging(dagId, runId, context.task.id, context.tryNumber);
  const partitions = await stagePartitions(staging, 'enriched', transform.name, written);
  if (partitions.length === 0) context.log.warn(`${transform.name}: no rows for the days of this run`);
  const isTouched = (value: string) => (plan.touched ? inRanges(value, plan.touched) : value === runDate);
  const kept = new Set(partitions.map((partition) => partition.value));
  return {
    ...tableOf(build, plan.state),
    unchanged: false,
    partitions,
    removed: Object.keys(published?.partitions ?? {})
      .filter((value) => isTouched(value) && !kept.has(value))
      .sort(),
    replacesAll: plan.replacesAll,
    account: accountOf(partitions),
  };
}

function unchanged(context: TaskContext, build: Table): StagedTable {
  const { published, runDate, state } = build;
  const partitions = Object.values(published?.partitions ?? {})
    .filter(({ value }) => context.run.firstDay <= value && value <= runDate)
    .sort((a, b) => (a.value < b.value ? -1 : 1));
  return {
    ...tableOf(build, state ?? nextState(build)),
    unchanged: true,
    partitions,
    removed: [],
    replacesAll: false,
    account: accountOf(partitions),
  };
}

function tableOf(
  { transform }: Table,
  state: BuildState,
): Omit<StagedTable, 'unchanged' | 'partitions' | 'removed' | 'replacesAll' | 'account'> {
  return {
    layer: 'enriched',
    table: transform.name,
    columns: transform.columns,
    primaryKey: transform.primaryKey,
    partitionKey: transform.partitionKey,
    quarantine: [],
    buildCounts: {},
    inputs: {},
    logicFingerprint: transform.logicFingerprint,
    state: stateToJson(state),
  };
}

/** A transform makes rows rather than passes them on: what it made is both sides of its account. */
function accountOf(partitions: readonly DataPartition[]): RowAccount {
  const rows = partitions.reduce((sum, partition) => sum + partition.rows, 0);
  return { ...EMPTY_ACCOUNT, input: rows, output: rows };
}

async function fetchInputs(lake: LakeFiles, inputs: readonly BoundInput[]): Promise<LocalInputs> {
  const tables: Record<string, LocalTable | null> = {};
  for (const { name, table } of inputs) {
    tables[name] = table
      ? { columns: table.columns, paths: await lake.localPaths(table.partitions.flatMap((one) => one.files)) }
      : null;
  }
  return { definitions: Object.fromEntries(inputs.map((input) => [input.name, input.definition])), tables };
}

async function assertDated(session: DuckDbSession, transform: ResolvedTransform, output: string): Promise<void> {
  const key = transform.partitionKey;
  const { rows } = await session.one(
    `SELECT count(*) AS rows FROM read_parquet(${literal(output)}) WHERE ${identifier(key)} IS NULL`,
  );
  if (rows === 0) return;
  throw new PipelineError(
    'transform_failed',
    `Transform ${transform.name} returned ${rows} rows whose ${key} is null, so they belong to no partition. Give each row a day, or filter it.`,
    { context: { transform: transform.name, column: key } },
  );
}

function openSession(deps: BuildEnrichedDeps, context: TaskContext): Promise<DuckDbSession> {
  return DuckDbSession.open({
    ...deps.duckdb,
    tempDir: resolve(context.tempDir, 'duckdb'),
    signal: context.signal,
  });
}
