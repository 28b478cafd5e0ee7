/** How deep SQL is nested -> a fault at the place where it is too deep, before anything that steps into it runs out of stack. */
import { invalid, type SqlFaultError } from './lexer.ts';

/** Brackets, NOTs, signs and subqueries within one another; far more than people write. */
export const MAX_NESTING = 100;
/** Levels of the tree: a chain of operators is as deep as it is long. DuckDB takes 1,000 of an expression. */
const MAX_LEVELS = 2_000;

export function tooDeep(text: string, at: number): SqlFaultError {
  return invalid(
    text,
    at,
    'The query is nested too deeply, or chains too many operators.',
    'Name parts of it in WITH, and write a long OR as IN.',
  );
}

/**
 * Steps through a parsed tree without recursion.
 *
 * @throws SqlFaultError
 */
export function assertShallow(text: string, tree: object): void {
  const open: { readonly node: object; readonly level: number; readonly at: number }[] = [
    { node: tree, level: 1, at: 0 },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, level } = next;
    const at = 'at' in node && typeof node.at === 'number' ? node.at : next.at;
    if (level > MAX_LEVELS) throw tooDeep(text, at);
    for (const value of Object.values(node) as readonly unknown[])
      if (typeof value === 'object' && value !== null) open.push({ node: value, level: level + 1, at });
  }
}
