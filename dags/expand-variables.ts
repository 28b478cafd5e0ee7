/** `${VAR}` and `${VAR:-default}` in every text of a tree -> the values of the environment. */
import type { IssueLog } from './issue-log.ts';
import { placeInScalar, resolvePlainScalar, type ScalarNode, type TreeNode } from './yaml-tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$${` stands for the two characters themselves. */
const VARIABLE = /\$\$\{|\$\{([^}]*)(\}?)/g;

/**
 * A variable that is empty counts as unset; one that is unset and has no default is an error at its place.
 * A plain (unquoted) value is read again as YAML afterwards, so that `sla: ${SLA:-0.95}` is a number.
 */
export function expandVariables<Tree extends TreeNode>(
  tree: Tree,
  env: Environment,
  linesByFile: ReadonlyMap<string, readonly string[]>,
  log: IssueLog,
): Tree {
  const expandNode = (node: TreeNode): TreeNode => {
    switch (node.kind) {
      case 'scalar':
        return expandScalar(node, env, linesByFile.get(node.at.file) ?? [], log);
      case 'list':
        return { ...node, items: node.items.map(expandNode) };
      case 'map':
        return {
          ...node,
          entries: new Map([...node.entries].map(([key, entry]) => [key, { ...entry, node: expandNode(entry.node) }])),
        };
    }
  };
  return expandNode(tree) as Tree;
}

function expandScalar(scalar: ScalarNode, env: Environment, lines: readonly string[], log: IssueLog): ScalarNode {
  const { value } = scalar;
  if (typeof value !== 'string' || !value.includes('${')) return scalar;
  let isUnset = false;
  const expanded = value.replace(
    VARIABLE,
    (whole, inside: string | undefined, close: string | undefined, offset: number) => {
      if (inside === undefined) return '${';
      const before = value.slice(0, offset).split('\n');
      const at = placeInScalar(scalar, lines, { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 });
      const parts = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside);
      const [, name, fallback] = parts ?? [];
      if (name === undefined || close === '' || fallback?.includes('${')) {
        isUnset = true;
        log.error({
          code: 'bad_variable',
          at,
          message: `${whole} is not a variable`,
          expected: `\${NAME} or \${NAME:-default}, not nested`,
          hint: 'write $${ for the two characters themselves',
        });
        return '';
      }
      const found = env[name];
      if (found !== undefined && found !== '') return found;
      if (fallback !== undefined) return fallback;
      isUnset = true;
      log.error({
        code: 'unset_variable',
        at,
        message: `the variable ${name} is not set`,
        expected: 'a value in the environment, or a default',
        hint: `set ${name}, or write \${${name}:-default}`,
      });
      return '';
    },
  );
  if (isUnset) return { ...scalar, value: expanded, isUnset };
  return { ...scalar, value: scalar.style === 'plain' ? resolvePlainScalar(expanded) : expanded };
}
