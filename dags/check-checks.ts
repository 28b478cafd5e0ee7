/** The checks of one table -> whether each says one thing to measure, of columns that there are. */
import type { CheckSpec } from '../core/spec.ts';
import type { JsonObject } from '../core/types.ts';
import { type CheckContext, valueAt } from './check-context.ts';
import { checkExpression } from './check-expressions.ts';
import { checkName, checkNames } from './check-names.ts';
import type { TreePath } from './yaml-tree.ts';

/** `columns` is null where only code knows them. */
export function checkChecks(
  context: CheckContext,
  checks: readonly CheckSpec[],
  path: TreePath,
  columns: readonly string[] | null,
  what: string,
  params: JsonObject,
): void {
  for (const [index, check] of checks.entries()) {
    const at = [...path, 'checks', index];
    const subjects = [check.acceptedValues, check.range, check.regex, check.notNull || null, check.unique, check.sql];
    const measured = subjects.filter((subject) => subject !== null).length;
    const needsColumn = measured === 1 && check.unique === null && check.sql === null;
    if (measured !== 1 || (needsColumn && check.column === null)) {
      context.log.error({
        code: 'bad_check',
        at: valueAt(context, at),
        message:
          measured === 1
            ? `check ${check.id} does not say which column`
            : `check ${check.id} says ${measured} things to measure`,
        expected:
          measured === 1
            ? 'column: <column>'
            : 'one of accepted_values, range, regex, not_null (each with column), unique, sql',
      });
    }
    if (check.column !== null) checkName(context, [...at, 'column'], check.column, columns, what);
    checkNames(context, [...at, 'unique'], check.unique ?? [], columns, what);
    checkRegex(context, [...at, 'regex'], check.regex);
    checkExpression(context, [...at, 'sql'], { columns, of: what, params, hasWindow: false });
  }
}

function checkRegex(context: CheckContext, path: TreePath, regex: string | null): void {
  if (regex === null) return;
  try {
    new RegExp(regex, 'u');
  } catch {
    context.log.error({
      code: 'bad_check',
      at: valueAt(context, path),
      message: `${regex} is no pattern`,
      expected: 'a regular expression, e.g. ^[A-Z]{3}$',
    });
  }
}
