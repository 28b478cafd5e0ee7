/** The judged rows of a batch -> row account, build counts and output partitions of each bronze partition. */
import { assertBalanced } from '../../core/row-account.ts';
import type { TableSpec } from '../../core/spec.ts';
import type { RowAccount } from '../../core/types.ts';
import type { DuckDbSession } from '../../engine/duckdb-session.ts';
import { identifier, literal } from '../../engine/sql-text.ts';
import type { FileGroup } from './bronze-files.ts';
import { type BasePlan, type BronzePlace, REASON_SEPARATOR } from './plan-base.ts';

/** SQL condition of a row that goes out to silver. */
export const IS_GOOD = '__reasons IS NULL AND NOT __duplicate';

export interface PartitionAccount {
  readonly partition: string;
  readonly account: RowAccount;
  readonly counts: { readonly [checkId: string]: number };
  /** Values of the silver partitions that its rows went to, sorted. */
  readonly wrote: readonly string[];
}

/**
 * Input rows are those that the files' footers promise, so that a row lost on the way breaks the account.
 *
 * @throws PipelineError `row_account_broken`
 */
export async function accountBatch(
  session: DuckDbSession,
  table: TableSpec,
  plan: BasePlan,
  groups: readonly FileGroup[],
  places: readonly BronzePlace[],
  undeclared: readonly string[],
): Promise<readonly PartitionAccount[]> {
  const casts = plan.castColumns.map((_name, n) => `count(*) FILTER (__cast_${n} AND ${IS_GOOD}) AS cast_${n}`);
  const totals = await session.rows(`
    SELECT ${[
      '__place',
      `count(*) FILTER (${IS_GOOD}) AS output`,
      'count(*) FILTER (__reasons IS NOT NULL) AS quarantined',
      'count(*) FILTER (__duplicate) AS duplicates',
      'count(*) FILTER (__disagrees) AS disagrees',
      ...casts,
    ].join(', ')}
    FROM scored JOIN bronze_files USING (__file) GROUP BY __place`);
  const reasons = await session.rows(`
    SELECT __place, reason, count(*) AS rows
    FROM (SELECT __file, unnest(string_split(__reasons, ${literal(REASON_SEPARATOR)})) AS reason FROM scored WHERE __reasons IS NOT NULL)
    JOIN bronze_files USING (__file) GROUP BY ALL ORDER BY reason`);
  const replaced = await session.rows(
    'SELECT __place, count(*) AS rows FROM beaten JOIN bronze_files ON __winner_file = __file GROUP BY __place',
  );
  const wrote = await session.rows(`
    SELECT DISTINCT __place, CAST(${identifier(table.partitionKey)} AS VARCHAR) AS value
    FROM scored JOIN bronze_files USING (__file) WHERE ${IS_GOOD} ORDER BY value`);

  return places.map(({ partition }, place) => {
    const total = totals.find((row) => row.__place === place);
    const duplicates = Number(total?.duplicates ?? 0);
    const byReason: Record<string, number> = {};
    for (const row of reasons.filter((row) => row.__place === place)) byReason[String(row.reason)] = Number(row.rows);
    if (duplicates > 0) byReason[table.duplicateReason] = duplicates;
    const files = groups.flatMap((group) => group.files).filter((file) => file.partition === partition);
    const account: RowAccount = {
      input: files.reduce((sum, file) => sum + file.rows, 0),
      output: Number(total?.output ?? 0),
      quarantined: Number(total?.quarantined ?? 0),
      duplicates,
      filtered: 0,
      replaced: Number(replaced.find((row) => row.__place === place)?.rows ?? 0),
      byReason,
    };
    assertBalanced(account, `silver.${table.name}${partition === '' ? '' : `, bronze partition ${partition}`}`);
    const counted: [string, number][] = [
      ...plan.castColumns.map((name, n): [string, number] => [`cast_${name}`, Number(total?.[`cast_${n}`] ?? 0)]),
      ['partition_disagrees', Number(total?.disagrees ?? 0)],
      ...missingRows(plan, partition),
      ['undeclared_columns', files.length > 0 ? undeclared.length : 0],
    ];
    return {
      partition,
      account,
      counts: Object.fromEntries(counted.filter(([, rows]) => rows > 0)),
      wrote: wrote.filter((row) => row.__place === place).map((row) => String(row.value)),
    };
  });
}

function missingRows(plan: BasePlan, partition: string): [string, number][] {
  const rows = new Map<string, number>();
  for (const missing of plan.missing.filter((one) => one.partition === partition)) {
    const id = `missing_column_${missing.column}`;
    rows.set(id, (rows.get(id) ?? 0) + missing.rows);
  }
  return [...rows];
}
