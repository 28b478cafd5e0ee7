/** `@name` in an SQL condition -> the value of the pipeline's parameter, so that nobody downstream needs the parameters. */
import { WINDOW_PARAMETERS } from '../core/google-sql.ts';
import type { JsonObject, JsonValue } from '../core/types.ts';

/** Strings, quoted names and comments are stepped over. */
const PARAMETER = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\/|@([A-Za-z_]\w*)/g;

/** Names after `@`, each once, in order. */
export function parametersIn(sql: string): readonly string[] {
  return [...new Set([...sql.matchAll(PARAMETER)].flatMap((match) => (match[1] === undefined ? [] : [match[1]])))];
}

/** Fills in numbers, texts and booleans; the run's own `@window_start` and `@window_end` stay. */
export function bindParams(sql: string, params: JsonObject): string {
  return sql.replace(PARAMETER, (whole, name: string | undefined) => {
    if (name === undefined || WINDOW_PARAMETERS.includes(name)) return whole;
    return sqlLiteral(params[name] ?? null) ?? whole;
  });
}

/** A GoogleSQL literal; null for what has none. */
export function sqlLiteral(value: JsonValue): string | null {
  if (typeof value === 'number') return value < 0 ? `(${value})` : String(value);
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, (character) => `\\${character}`)}'`;
  return null;
}
