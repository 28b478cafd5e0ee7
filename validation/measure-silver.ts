/** Staged silver tables -> results of row accounts, keys, foreign keys and declared checks. */
import { pinnedBronze, pinnedSequence, stagedTable } from '../core/pinned-inputs.ts';
import { overlay } from '../core/ports.ts';
import { addAccounts } from '../core/row-account.ts';
import type { ForeignKeySpec, TableSpec } from '../core/spec.ts';
import type { Publication, PublishedTable, StagedTable, TableAccount } from '../core/types.ts';
import { buildCountChecks } from './checks/build-counts.ts';
import { planDeclared } from './checks/declared-check.ts';
import { type ForeignKeyParent, foreignKeyCheck, foreignKeyId } from './checks/foreign-key.ts';
import { notNullChecks } from './checks/not-null.ts';
import { partitionAgreesChecks } from './checks/partition-agrees.ts';
import { passRate, quarantineShare, rowAccountChecks } from './checks/row-account.ts';
import { relationOf } from './checks/row-check.ts';
import { rowsAsStagedCheck, schemaChangeCheck } from './checks/staged-files.ts';
import { primaryKeyCheck } from './checks/unique.ts';
import { limitPercent } from './figures.ts';
import { type LayerMeasurement, type Measuring, tableAccount } from './measure.ts';
import { ALL_TABLES, type MeasuredResult } from './measured-result.ts';
import { runChecks } from './run-checks.ts';
import { sampleQuarantine } from './sample-quarantine.ts';
import { columnsChecks, notStaged, type StagedSubject, stagedSubject } from './staged-subject.ts';

export async function measureSilver(measuring: Measuring): Promise<LayerMeasurement> {
  const { context } = measuring;
  const published = await publishedSilver(measuring);
  const results: MeasuredResult[] = [];
  const tables: TableAccount[] = [];
  for (const spec of context.spec.tables.filter((table) => context.task.tables.includes(table.name))) {
    const staged = stagedTable(context.outputs, 'silver', spec.name);
    if (!staged) {
      results.push(notStaged(context, spec.name, spec.owner));
      continue;
    }
    const own = await measureTable(measuring, spec, staged, published);
    results.push(...own);
    tables.push(
      tableAccount(spec.name, staged.account, own, { passRate: passRate(staged.account), sla: spec.quality.sla }),
    );
  }
  return { results, tables, overall: (counted) => [overallQuarantine(measuring, counted)] };
}

async function publishedSilver({ context, publications }: Measuring): Promise<Publication | null> {
  const sequence = pinnedSequence(context.outputs, 'silver');
  if (sequence === undefined) return publications.current('silver');
  return sequence === null ? null : publications.at('silver', sequence);
}

async function measureTable(
  measuring: Measuring,
  spec: TableSpec,
  staged: StagedTable,
  publication: Publication | null,
): Promise<readonly MeasuredResult[]> {
  const { context, lake, session } = measuring;
  const published = publication?.tables[spec.name];
  const counted = [
    ...rowAccountChecks({
      table: spec.name,
      owner: spec.owner,
      quality: spec.quality,
      account: staged.account,
      readsChanges: spec.source.select === 'changed',
      pipelineMaxQuarantinePct: context.spec.maxQuarantinePct,
      bronze: reconcileBronze(measuring, spec, staged, published),
    }),
    ...buildCountChecks(staged, spec.owner),
  ];
  if (staged.account.input === 0 && staged.partitions.length === 0) return counted;
  const subject = await stagedSubject(lake, staged, published, context.spec, spec.owner);
  const declared = spec.checks.map((check) => planDeclared(subject, check, {}));
  const foreignKeys = await Promise.all(
    spec.foreignKeys.map(async (key) =>
      foreignKeyCheck(subject, key, staged, await parentOf(measuring, key, publication)),
    ),
  );
  const required = spec.columns.filter((column) => column.required).map((column) => column.name);
  const scanned = await runChecks(session, [
    rowsAsStagedCheck(subject),
    ...partitionAgreesChecks(subject, subject.pathsByValue),
    ...primaryKeyCheck(subject),
    ...notNullChecks(subject, [...spec.primaryKey, ...required]),
    ...foreignKeys,
    ...declared.flatMap((planned) => (planned.kind === 'scan' ? [planned.check] : [])),
  ]);
  return withQuarantined(measuring, spec, subject, [
    ...counted,
    ...(await columnsChecks(session, subject, staged.columns, scanned)),
    ...schemaChangeCheck(subject, published?.columns),
    ...scanned,
    ...declared.flatMap((planned) => (planned.kind === 'result' ? [planned.result] : [])),
  ]);
}

/** The parent's rows as readers would see them: this run's over those published. */
async function parentOf(
  { context, lake }: Measuring,
  key: ForeignKeySpec,
  publication: Publication | null,
): Promise<ForeignKeyParent> {
  const { table } = key.references;
  const staged = stagedTable(context.outputs, 'silver', table);
  const published = publication?.tables[table];
  const partitions = overlay(published, staged);
  const paths = await lake.localPaths(partitions.flatMap((partition) => partition.files));
  const columns = staged?.columns ?? published?.columns ?? [{ name: key.references.column, type: 'string' }];
  return {
    relation: relationOf(paths, columns),
    columns,
    hasRows: partitions.some((partition) => partition.rows > 0),
  };
}

/** Null where a pinned partition has no manifest that says how many rows to expect. */
function reconcileBronze(
  { context }: Measuring,
  spec: TableSpec,
  staged: StagedTable,
  published: PublishedTable | undefined,
): { readonly promised: number; readonly read: number } | null {
  const pinned = pinnedBronze(context.outputs, spec.name)?.filter(
    (partition) => partition.files.length > 0 || partition.manifest.state !== 'missing',
  );
  if (!pinned) return null;
  let promised = 0;
  let read = 0;
  for (const { manifest, partition } of pinned) {
    if (manifest.state !== 'read') return null;
    promised += manifest.manifest.totalRows;
    read += (staged.inputs[partition] ?? published?.inputs[partition])?.account.input ?? 0;
  }
  return { promised, read };
}

/** Shows rows out of quarantine where a check failed because of them. */
async function withQuarantined(
  { lake, session }: Measuring,
  spec: TableSpec,
  { pii, staged }: StagedSubject,
  results: readonly MeasuredResult[],
): Promise<readonly MeasuredResult[]> {
  const reasonById = new Map<string, string | null>([
    ['pass_rate', null],
    ...spec.foreignKeys.map((key): [string, string] => [foreignKeyId(key), key.reason]),
  ]);
  const shown: MeasuredResult[] = [];
  for (const result of results) {
    const reason = reasonById.get(result.checkId);
    const isBroken = result.state === 'FAIL' || result.state === 'WARN';
    if (reason === undefined || !isBroken || result.samples.length > 0 || staged.quarantine.length === 0) {
      shown.push(result);
      continue;
    }
    shown.push({ ...result, samples: await sampleQuarantine(session, lake, spec, staged.quarantine, reason, pii) });
  }
  return shown;
}

function overallQuarantine({ context }: Measuring, tables: readonly TableAccount[]): MeasuredResult {
  return quarantineShare(
    {
      checkId: 'max_quarantine',
      table: ALL_TABLES,
      owner: context.spec.owner,
      severity: 'fail',
      description: 'Not too many rows of all tables are quarantined; duplicates do not count.',
      expected: `≤ ${limitPercent(context.spec.maxQuarantinePct / 100)}`,
    },
    addAccounts(tables.map((table) => table.account)),
    context.spec.maxQuarantinePct,
  );
}
