/** A mart's GoogleSQL and its windows -> the query that BigQuery runs: full table names, declared types, a copy for each day. Pure. */

import { type Expression, fromLeaves, type Query, type QueryBody, walkQuery } from '../../core/google-sql/ast.ts';
import { invalid, tokenize } from '../../core/google-sql/lexer.ts';
import { parseQuery } from '../../core/google-sql/parser.ts';
import { WINDOW_PARAMETERS } from '../../core/google-sql.ts';
import { addDays } from '../../core/partition.ts';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { quoted } from './names.ts';
import { googleSqlType } from './schema.ts';

/** The day whose window made a row; tells a mart that writes into days it was not asked for. */
export const WINDOW_COLUMN = '_assay_window';

/** One run of the mart's query: a day's window, or no day and all rows. */
export interface MartWindow {
  readonly day: string | null;
  /** `window_start`, `window_end`; none for a mart that knows no days. */
  readonly dates: { readonly [name: string]: string };
}

export interface QueryParameter {
  readonly name: string;
  readonly parameterType: { readonly type: 'DATE' };
  readonly parameterValue: { readonly value: string };
}

/** A day is computed by itself, so that its rows depend on its inputs alone and not on which other days are touched. */
export function windowsOf(def: WarehouseTableDef, days: readonly string[] | null): readonly MartWindow[] {
  if (days !== null) return days.map((day) => ({ day, dates: { window_start: day, window_end: addDays(day, 1) } }));
  const allTime = { window_start: '0001-01-01', window_end: '9999-12-31' };
  return [{ day: null, dates: def.partitionKey === null ? {} : allTime }];
}

interface Edit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

interface Places {
  readonly tables: readonly { readonly path: readonly string[]; readonly at: number }[];
  readonly parameters: readonly { readonly name: string; readonly at: number }[];
}

/** `layer.table` of the query, each once. */
export function tablesOf(
  sql: string,
): readonly { readonly layer: string; readonly table: string; readonly at: number }[] {
  const found = new Map<string, { layer: string; table: string; at: number }>();
  for (const { path, at } of placesOf(sql).tables) {
    const [layer = '', table = ''] = path;
    if (path.length === 2 && !found.has(`${layer}.${table}`)) found.set(`${layer}.${table}`, { layer, table, at });
  }
  return [...found.values()];
}

/**
 * `table` gives the quoted full name; null where there is no such layer. With a `suffix`, parameters get it: `@window_start_3`.
 *
 * @throws SqlFaultError `sql_invalid`, `sql_not_portable` with line and column
 */
export function qualifyTables(sql: string, table: (layer: string, name: string) => string | null, suffix = ''): string {
  const { tables, parameters } = placesOf(sql);
  const edits: Edit[] = tables.map(({ path, at }) => {
    const [layer = '', name = ''] = path;
    const full = path.length === 2 ? table(layer, name) : null;
    if (full === null)
      throw invalid(sql, at, `There is no table ${path.join('.')}.`, 'Name layer and table, as in enriched.orders.');
    return { at, end: endOfPath(sql, at, path.length), text: full };
  });
  if (suffix !== '') {
    for (const { name, at } of parameters) {
      if (WINDOW_PARAMETERS.includes(name)) edits.push({ at, end: at + 1 + name.length, text: `@${name}${suffix}` });
    }
  }
  return edits
    .sort((a, b) => b.at - a.at)
    .reduce((text, { at, end, text: to }) => text.slice(0, at) + to + text.slice(end), sql);
}

function placesOf(sql: string): Places {
  const tables: { path: readonly string[]; at: number }[] = [];
  const parameters: { name: string; at: number }[] = [];
  walkQuery(parseQuery(sql), {
    query: (query) => {
      collectTables(query, tables);
      return true;
    },
    expression: (expression: Expression) => {
      if (expression.kind === 'parameter') parameters.push({ name: expression.name, at: expression.at });
      return true;
    },
  });
  return { tables: distinct(tables), parameters: distinct(parameters) };
}

/** Names of one part are WITH names, or unknown to every engine: those are left as they stand. */
function collectTables(query: Query, tables: { path: readonly string[]; at: number }[]): void {
  const inBody = (body: QueryBody): void => {
    if (body.kind === 'set') for (const input of body.inputs) inBody(input);
    if (body.kind !== 'select') return;
    for (const leaf of fromLeaves(body.from)) {
      if (leaf.kind === 'table' && leaf.path.length > 1) tables.push({ path: leaf.path, at: leaf.at });
    }
  };
  inBody(query.body);
}

function distinct<T extends { readonly at: number }>(places: readonly T[]): readonly T[] {
  return [...new Map(places.map((place) => [place.at, place])).values()];
}

/** Behind the last of so many names that dots join; a name in backticks may hold dots itself. */
function endOfPath(sql: string, at: number, parts: number): number {
  const tokens = tokenize(sql);
  let index = tokens.findIndex((token) => token.at === at);
  for (let found = 0; ; index += 2) {
    const token = tokens[index];
    if (!token) throw new Error(`no table name at ${at}`);
    found += token.kind === 'quoted' ? token.value.split('.').length : 1;
    if (found >= parts) return token.at + token.text.length;
  }
}

/** Each declared column, cast to its declared type; with days, the window's day beside. */
export function buildQuery(
  def: WarehouseTableDef,
  windows: readonly MartWindow[],
  qualified: (suffix: string) => string,
): string {
  return windows
    .map(({ day }, index) => {
      const suffix = windows.length === 1 ? '' : `_${index}`;
      const values = def.columns.map(
        ({ name, type }) => `CAST(q.${quoted(name)} AS ${googleSqlType(type)}) AS ${quoted(name)}`,
      );
      if (day !== null) values.push(`@window_start${suffix} AS ${quoted(WINDOW_COLUMN)}`);
      return `SELECT ${values.join(',\n       ')}\nFROM (\n${qualified(suffix)}\n) AS q`;
    })
    .join('\nUNION ALL\n');
}

export function parametersOf(windows: readonly MartWindow[]): readonly QueryParameter[] {
  return windows.flatMap(({ dates }, index) =>
    Object.entries(dates).map(([name, value]) => ({
      name: windows.length === 1 ? name : `${name}_${index}`,
      parameterType: { type: 'DATE' as const },
      parameterValue: { value },
    })),
  );
}
