/** Two versions of a transform's inputs -> the days that changed rows count for, in either version. */
import type { LakeFiles } from '../../core/ports.ts';
import type { DataPartition, Day } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier } from '../../engine/sql-text.ts';
import type { BoundInput, TableVersion } from './bind-inputs.ts';
import { FIRST_DAY, LAST_DAY } from './day-ranges.ts';
import { type DaySource, dayRule, type InputDefinition } from './define-transform.ts';
import { explainInput } from './explain-conversions.ts';
import { DAY, datedRelation, type LocalTable, relation, withinDays } from './input-query.ts';
import type { ChangedDays } from './plan-days.ts';

/** By input name; null where that version had no such table. */
export type TableVersions = { readonly [input: string]: TableVersion | null };

export interface ChangeQuestion {
  readonly transform: string;
  readonly inputs: readonly BoundInput[];
  readonly before: TableVersions;
  readonly now: TableVersions;
}

type Definitions = { readonly [input: string]: InputDefinition };
type Parent = Exclude<DaySource, string>;

/** One version of a table, split by whether the other version holds the same partition with the same content. */
interface SplitTable {
  readonly all: LocalTable;
  readonly changed: LocalTable;
  readonly same: LocalTable;
}

type Side = { readonly [input: string]: SplitTable };

/** Does any partition that can bear on a day differ? Asks no file. */
export function hasChanged({ inputs, before, now }: ChangeQuestion): boolean {
  return datingNames(inputs).some((name) => {
    const [old, current] = [before[name] ?? null, now[name] ?? null];
    return differingPartitions(old, current).size > 0 || differingPartitions(current, old).size > 0;
  });
}

/**
 * A row counts where its partition differs between the versions, or where its day comes from a row of another input
 * whose partition differs: a late order moves items that arrived before it. Lookups, and inputs read for dates only, count for nothing.
 * Reads columns of keys and days alone: of changed partitions, and of whole tables where what dates them has changed.
 */
export async function findChangedDays(
  session: DuckDbSession,
  lake: LakeFiles,
  { transform, inputs, before, now }: ChangeQuestion,
): Promise<readonly ChangedDays[]> {
  const definitions: Definitions = Object.fromEntries(inputs.map((input) => [input.name, input.definition]));
  const names = datingNames(inputs);
  const sides = [await splitTables(lake, names, before, now), await splitTables(lake, names, now, before)];
  const found: ChangedDays[] = [];
  for (const { name, definition } of inputs.filter(hasDay)) {
    const queries = sides.flatMap((side) => changedRows(definitions, name, side, sides));
    if (queries.length === 0) continue;
    const rows = await explainInput(transform, name, () =>
      session.rows(
        `SELECT CAST(${DAY} AS VARCHAR) AS day FROM (SELECT DISTINCT ${DAY} FROM (${queries.join(' UNION ALL ')})) ` +
          `WHERE ${withinDays(DAY, [{ from: FIRST_DAY, to: LAST_DAY }])} ORDER BY 1`,
      ),
    );
    found.push({ days: rows.map((row): Day => String(row.day)), reach: definition.reach });
  }
  return found;
}

/** Partitions of one version that the other lacks or holds with other content. */
function differingPartitions(version: TableVersion | null, other: TableVersion | null): ReadonlySet<DataPartition> {
  const known = new Map((other?.partitions ?? []).map(({ value, fingerprint }) => [value, fingerprint]));
  return new Set((version?.partitions ?? []).filter(({ value, fingerprint }) => known.get(value) !== fingerprint));
}

/** Inputs whose rows have a day, and those that the day comes from. */
function datingNames(inputs: readonly BoundInput[]): readonly string[] {
  const names = inputs
    .filter(hasDay)
    .flatMap(({ name, definition }) => [name, ...parentsOf(definition).map((parent) => parent.input)]);
  return [...new Set(names)];
}

function hasDay({ definition }: BoundInput): boolean {
  return dayRule(definition) !== null && !definition.datesOnly;
}

function parentsOf(definition: InputDefinition): readonly Parent[] {
  return (dayRule(definition)?.from ?? []).filter((source): source is Parent => typeof source !== 'string');
}

async function splitTables(
  lake: LakeFiles,
  names: readonly string[],
  versions: TableVersions,
  others: TableVersions,
): Promise<Side> {
  const side: Record<string, SplitTable> = {};
  for (const name of names) side[name] = await splitTable(lake, versions[name] ?? null, others[name] ?? null);
  return side;
}

async function splitTable(
  lake: LakeFiles,
  version: TableVersion | null,
  other: TableVersion | null,
): Promise<SplitTable> {
  const differing = differingPartitions(version, other);
  const pathsOf = (wanted: boolean): Promise<readonly string[]> =>
    lake.localPaths(
      (version?.partitions ?? [])
        .filter((partition) => differing.has(partition) === wanted)
        .flatMap((partition) => partition.files),
    );
  const [changed, same] = [await pathsOf(true), await pathsOf(false)];
  const local = (paths: readonly string[]): LocalTable => ({ columns: version?.columns ?? [], paths });
  return { all: local([...changed, ...same]), changed: local(changed), same: local(same) };
}

/** Queries for the days of the rows of one version that count as changed; none where there are none. */
function changedRows(definitions: Definitions, name: string, side: Side, sides: readonly Side[]): readonly string[] {
  const definition = definitions[name];
  const table = side[name];
  if (!definition || !table) return [];
  const tables = Object.fromEntries(Object.entries(side).map(([input, split]) => [input, split.all]));
  const days = (rows: string) => `SELECT ${DAY} FROM ${datedRelation({ definitions, tables }, name, rows)}`;
  const moved = parentsOf(definition).flatMap((parent) => changedKeys(definitions, parent, sides));
  return [
    ...(table.changed.paths.length > 0 ? [days(relation(definition, table.changed))] : []),
    ...(table.same.paths.length > 0 && moved.length > 0
      ? [days(`(SELECT * FROM ${relation(definition, table.same)} WHERE ${moved.join(' OR ')})`)]
      : []),
  ];
}

/** A condition on rows whose parent lies in a changed partition of either version. */
function changedKeys(definitions: Definitions, parent: Parent, sides: readonly Side[]): readonly string[] {
  const definition = definitions[parent.input];
  const key = identifier(parent.key);
  return sides.flatMap((side) => {
    const changed = side[parent.input]?.changed;
    return definition && changed && changed.paths.length > 0
      ? [`${key} IN (SELECT ${key} FROM ${relation(definition, changed)})`]
      : [];
  });
}
