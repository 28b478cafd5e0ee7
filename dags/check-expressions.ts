/** The SQL texts of a spec -> their faults, each at its own line and column in the YAML or the mart file. */
import { didYouMean } from '../core/did-you-mean.ts';
import {
  columnsOf,
  lintExpression,
  lintQuery,
  type SqlFault,
  tableReferences,
  WINDOW_PARAMETERS,
} from '../core/google-sql.ts';
import type { SourceLocation } from '../core/spec.ts';
import type { JsonObject, Layer } from '../core/types.ts';
import { parametersIn, sqlLiteral } from './bind-params.ts';
import { type CheckContext, valueAt } from './check-context.ts';
import { meant } from './issue-log.ts';
import { namesOf } from './layer-tables.ts';
import { isLayer } from './resolve-spec.ts';
import { nodeAt, placeInScalar, type TreePath } from './yaml-tree.ts';

/** Layers whose tables lie in the warehouse, where marts run. */
const MART_LAYERS: readonly Layer[] = ['silver', 'dims', 'enriched'];

export interface ExpressionScope {
  /** The columns that may be named, and of what; null where only code knows them. */
  readonly columns: readonly string[] | null;
  readonly of: string;
  readonly params: JsonObject;
  /** May `@window_start` and `@window_end` be used here? */
  readonly hasWindow: boolean;
}

/** `path` leads to a text; nothing happens where there is none. */
export function checkExpression(context: CheckContext, path: TreePath, scope: ExpressionScope): void {
  const scalar = nodeAt(context.tree, path);
  if (scalar?.kind !== 'scalar' || typeof scalar.value !== 'string') return;
  const text = scalar.value;
  const faults = lintExpression(text, { parameters: parametersIn(text) });
  reportFaults(context, faults, inText(context, path), 'bad_expression', 'a GoogleSQL expression over one row');
  checkNamesIn(context, path, text, scope, faults.length === 0);
}

/** The parameters of an SQL text, and where its grammar is right its columns. */
export function checkNamesIn(
  context: CheckContext,
  path: TreePath,
  text: string,
  scope: ExpressionScope,
  isParsed: boolean,
): void {
  const place = inText(context, path);
  for (const name of parametersIn(text)) checkParameter(context, name, place(offsetPlace(text, `@${name}`)), scope);
  if (scope.columns === null || !isParsed) return;
  const known = new Set(scope.columns.map((column) => column.toLowerCase()));
  for (const column of columnsOf(text)) {
    if (known.has(column.toLowerCase()) || context.unreadWords.has(column)) continue;
    context.log.error({
      code: 'unknown_column',
      at: place(offsetPlace(text, column)),
      message: `${scope.of} has no column ${column}`,
      expected: `one of ${scope.columns.join(', ')}`,
      hint: meant(didYouMean(column, scope.columns)),
    });
  }
}

function checkParameter(context: CheckContext, name: string, at: SourceLocation, scope: ExpressionScope): void {
  const isWindow = WINDOW_PARAMETERS.includes(name);
  if (isWindow ? scope.hasWindow : sqlLiteral(scope.params[name] ?? null) !== null) return;
  const known = [...Object.keys(scope.params), ...(scope.hasWindow ? WINDOW_PARAMETERS : [])];
  const isSet = Object.hasOwn(scope.params, name);
  context.log.error({
    code: 'unknown_param',
    at,
    message: isWindow
      ? `@${name} has no value here; only dims and marts know the run's window`
      : isSet
        ? `the parameter ${name} is a list or a mapping, which SQL has no literal for`
        : `no parameter is called ${name}`,
    expected: known.length > 0 ? `one of ${known.join(', ')}` : 'a parameter declared under params',
    hint: isSet || isWindow ? null : meant(didYouMean(name, known)),
  });
}

/** A mart's query: its grammar, and that it reads tables of this pipeline by their layer. */
export function checkQuery(context: CheckContext, path: TreePath): void {
  const scalar = nodeAt(context.tree, path);
  if (scalar?.kind !== 'scalar' || typeof scalar.value !== 'string') return;
  const place = inText(context, path);
  reportFaults(context, lintQuery(scalar.value), place, 'bad_query', 'one portable GoogleSQL query');
  for (const { layer, table, line, column } of tableReferences(scalar.value)) {
    const at = place({ line, column });
    if (!isLayer(layer) || !MART_LAYERS.includes(layer)) {
      const home = MART_LAYERS.find((candidate) => namesOf(context.spec, candidate).includes(table));
      context.log.error({
        code: 'bad_reference',
        at,
        message: layer === null ? `${table} is read without its layer` : `a mart may not read ${layer}.${table}`,
        expected: 'silver.<table>, dims.<table> or enriched.<table>',
        hint: home ? `write ${home}.${table}` : null,
      });
      continue;
    }
    const known = namesOf(context.spec, layer);
    if (known.includes(table) || context.unreadWords.has(table)) continue;
    const elsewhere = MART_LAYERS.find((candidate) => namesOf(context.spec, candidate).includes(table));
    context.log.error({
      code: 'unknown_table',
      at,
      message: `${layer} has no table ${table}`,
      expected: known.length > 0 ? `one of ${known.join(', ')}` : `a declared table of ${layer}`,
      hint: elsewhere ? `write ${elsewhere}.${table}` : meant(didYouMean(table, known)),
    });
  }
}

type Place = (inside: { readonly line: number; readonly column: number }) => SourceLocation;

export function inText(context: CheckContext, path: TreePath): Place {
  const scalar = nodeAt(context.tree, path);
  if (scalar?.kind !== 'scalar') return () => valueAt(context, path);
  const lines = context.linesByFile.get(scalar.at.file) ?? [];
  return (inside) => placeInScalar(scalar, lines, inside);
}

export function reportFaults(
  context: CheckContext,
  faults: readonly SqlFault[],
  place: Place,
  code: 'bad_expression' | 'bad_query' | 'bad_metric',
  expected: string,
): void {
  for (const fault of faults) {
    const message = fault.message.replace(/\.$/, '');
    context.log.error({ code, at: place(fault), message, expected, hint: fault.hint });
  }
}

/** Line and column of the first place where a word stands in a text. */
function offsetPlace(text: string, word: string): { readonly line: number; readonly column: number } {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const offset = Math.max(0, text.search(new RegExp(`(?<![\\w@])${escaped}(?!\\w)`, 'i')));
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
