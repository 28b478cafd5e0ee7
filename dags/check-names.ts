/** Names that one part of a spec uses of another: whether they exist, and the faults where they do not. */
import { didYouMean } from '../core/did-you-mean.ts';
import { type CheckContext, IMPLICIT_COLUMNS, valueAt } from './check-context.ts';
import { meant } from './issue-log.ts';
import type { TreePath } from './yaml-tree.ts';

/** Null where the columns are bronze's to say, or the table is unknown. */
export function columnsOfTable(context: CheckContext, name: string): readonly string[] | null {
  const table = context.spec.tables.find((candidate) => candidate.name === name);
  if (!table || table.columns.length === 0) return null;
  return [...table.columns.map((column) => column.name), ...IMPLICIT_COLUMNS];
}

export function checkNames(
  context: CheckContext,
  path: TreePath,
  names: readonly string[],
  columns: readonly string[] | null,
  what: string,
): void {
  names.forEach((name, index) => {
    checkName(context, [...path, index], name, columns, what);
  });
}

/** False where the column is known not to exist. */
export function checkName(
  context: CheckContext,
  path: TreePath,
  name: string,
  columns: readonly string[] | null,
  what: string,
): boolean {
  const isKnown = columns?.some((column) => column.toLowerCase() === name.toLowerCase()) ?? true;
  if (isKnown || context.unreadWords.has(name)) return true;
  context.log.error({
    code: 'unknown_column',
    at: valueAt(context, path),
    message: `${what} has no column ${name}`,
    expected: `one of ${(columns ?? []).join(', ')}`,
    hint: meant(didYouMean(name, columns ?? [])),
  });
  return false;
}

export function reportUnknownTable(
  context: CheckContext,
  path: TreePath,
  name: string,
  known: readonly string[],
  where: string,
): void {
  if (context.unreadWords.has(name)) return;
  context.log.error({
    code: 'unknown_table',
    at: valueAt(context, path),
    message: `no table ${name} is declared in ${where}`,
    expected: known.length > 0 ? `one of ${known.join(', ')}` : 'a declared table',
    hint: meant(didYouMean(name, known)),
  });
}

export function reportCycle(context: CheckContext, path: TreePath, what: string, cycle: readonly string[]): void {
  context.log.error({
    code: 'cycle',
    at: valueAt(context, path),
    message: `${what} form a circle: ${cycle.join(' → ')}`,
    expected: 'edges that lead nowhere back',
    hint: 'remove one of these edges',
  });
}
