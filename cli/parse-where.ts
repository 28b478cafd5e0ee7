/** `channel = "web"`, `net_revenue > 100`, `channel in (web, app)` -> one filter of a metric query. */
import { PipelineError } from '../core/errors.ts';
import type { FilterOp, MetricFilter } from '../core/metric-query.ts';

const NULL_TEST = /^\s*(\w+)\s+is\s+(not\s+)?null\s*$/i;
const IN_LIST = /^\s*(\w+)\s+(not\s+)?in\s*\((.*)\)\s*$/is;
const BETWEEN = /^\s*(\w+)\s+between\s+(.+)$/is;
const LIKE = /^\s*(\w+)\s+like\s+(.+)$/is;
const COMPARISON = /^\s*(\w+)\s*(<=|>=|!=|<>|=|<|>)\s*(.+)$/s;

/** One value: in quotes, with the quote itself doubled, or bare up to a comma or blank. */
const VALUE = /\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^\s,'"()]+))\s*/y;

/** @throws PipelineError `usage` */
export function parseWhere(text: string): MetricFilter {
  const isNull = NULL_TEST.exec(text);
  if (isNull) return { field: isNull[1] ?? '', op: isNull[2] === undefined ? 'is_null' : 'is_not_null' };
  const list = IN_LIST.exec(text);
  if (list) {
    const value = readValues(text, list[3] ?? '', ',');
    return { field: list[1] ?? '', op: list[2] === undefined ? 'in' : 'not_in', value };
  }
  const between = BETWEEN.exec(text);
  if (between) return { field: between[1] ?? '', op: 'between', value: readValues(text, between[2] ?? '', 'and', 2) };
  const [, field = '', op = '', rest = ''] = LIKE.exec(text)
    ? withOp(LIKE.exec(text), 'like')
    : (COMPARISON.exec(text) ?? []);
  if (field === '') throw unreadable(text);
  const [value] = readValues(text, rest, ',', 1);
  return { field, op: (op === '<>' ? '!=' : op) as FilterOp, value: value ?? '' };
}

const withOp = (match: RegExpExecArray | null, op: string): readonly string[] => [
  '',
  match?.[1] ?? '',
  op,
  match?.[2] ?? '',
];

/** Numbers stay text, so that no digit is lost; the type of the field decides what they are. */
function readValues(
  where: string,
  text: string,
  separator: ',' | 'and',
  count?: number,
): readonly (string | boolean)[] {
  const values: (string | boolean)[] = [];
  let at = 0;
  while (at < text.length) {
    VALUE.lastIndex = at;
    const found = VALUE.exec(text);
    if (!found) throw unreadable(where);
    const [whole, double, single, bare] = found;
    values.push(readValue(double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'") ?? null, bare));
    at += whole.length;
    if (at >= text.length) break;
    const next = text.slice(at, at + separator.length);
    if (next.toLowerCase() !== separator) throw unreadable(where);
    at += separator.length;
    if (at >= text.length) throw unreadable(where);
  }
  if (values.length === 0 || (count !== undefined && values.length !== count)) throw unreadable(where);
  return values;
}

function readValue(quoted: string | null, bare: string | undefined): string | boolean {
  if (quoted !== null) return quoted;
  return bare === 'true' ? true : bare === 'false' ? false : (bare ?? '');
}

const unreadable = (text: string): PipelineError =>
  new PipelineError(
    'usage',
    `--where cannot be read: ${text}\nWrite a field, an operator and a value, e.g. 'channel = "web"', 'net_revenue > 100', 'channel in (web, app)', 'time between 2025-10-01 and 2025-10-07', 'channel is not null'; repeat --where for more.`,
  );
