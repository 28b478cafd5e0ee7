/** Quarantine files of a table -> a few rows with key, the columns concerned, reasons and source, masked. */
import type { LakeFiles } from '../core/ports.ts';
import type { TableSpec } from '../core/spec.ts';
import type { CheckResult, DataFile } from '../core/types.ts';
import { type DuckDbSession, fileList } from '../engine/duckdb-session.ts';
import { identifier, literal } from '../engine/sql-text.ts';
import { MAX_SAMPLES } from './measured-result.ts';
import { maskValue } from './report/mask-value.ts';
import { throwUnlessAboutData } from './run-checks.ts';

/** `reason` null: rows of any reason. The files hold raw text columns by bronze name, `_reasons`, `_kind` and `_source_file`. */
export async function sampleQuarantine(
  session: DuckDbSession,
  lake: LakeFiles,
  spec: TableSpec,
  quarantine: readonly DataFile[],
  reason: string | null,
  pii: ReadonlyMap<string, string>,
): Promise<CheckResult['samples']> {
  try {
    const from = `read_parquet(${fileList(await lake.localPaths(quarantine))}, union_by_name = true, hive_partitioning = false)`;
    const present = new Map(
      (await session.describe(`SELECT * FROM ${from}`)).map(({ name }) => [name.toLowerCase(), name]),
    );
    const columns = shownColumns(spec, reason).flatMap(({ label, bronzeName }) => {
      const name = present.get(bronzeName.toLowerCase());
      return name === undefined ? [] : [{ label, name }];
    });
    const select = columns.map(({ label, name }) => `${identifier(name)} AS ${identifier(label)}`);
    const concerned = reason === null ? '' : `AND list_contains(string_split(_reasons, ' | '), ${literal(reason)})`;
    const rows = await session.rows(
      `SELECT ${[...select, ...(reason === null ? ['_reasons AS reasons'] : []), '_source_file AS source'].join(', ')}
       FROM ${from} WHERE _kind = 'quarantined' ${concerned}
       ORDER BY ${[...columns.map(({ name }) => identifier(name)), '_source_file', '_row_number'].join(', ')} LIMIT ${MAX_SAMPLES}`,
    );
    return rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([label, cell]) => [
          label,
          maskValue(cell === null ? null : String(cell), pii.get(label) ?? null),
        ]),
      ),
    );
  } catch (thrown) {
    throwUnlessAboutData(thrown);
    return [];
  }
}

/** Key columns, and for a foreign key's reason the column that points nowhere. */
function shownColumns(
  spec: TableSpec,
  reason: string | null,
): readonly { readonly label: string; readonly bronzeName: string }[] {
  const concerned = spec.foreignKeys.filter((key) => key.reason === reason).map((key) => key.column);
  return [...new Set([...spec.primaryKey, ...concerned])].map((label) => ({
    label,
    bronzeName: spec.columns.find((column) => column.name === label)?.sourceName ?? label,
  }));
}
