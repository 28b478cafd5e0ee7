/** A check as the spec declares it -> the ScanCheck of its kind. */
import { PipelineError } from '../../core/errors.ts';
import type { CheckSpec } from '../../core/spec.ts';
import { limitsOf, promiseOf, severityOf } from '../limits.ts';
import { type MeasuredResult, undecided } from '../measured-result.ts';
import type { ScanCheck } from '../run-checks.ts';
import { acceptedValuesCheck } from './accepted-values.ts';
import { notNullCheck } from './not-null.ts';
import { rangeCheck } from './range.ts';
import { regexCheck } from './regex.ts';
import type { Subject } from './row-check.ts';
import { type SqlParameters, sqlCheck } from './sql-condition.ts';
import { uniqueCheck } from './unique.ts';

export type PlannedCheck =
  | { readonly kind: 'scan'; readonly check: ScanCheck }
  | { readonly kind: 'result'; readonly result: MeasuredResult };

/** A check that cannot even be written as SQL is an undecided result, so that it blocks and the others still run. */
export function planDeclared(subject: Subject, spec: CheckSpec, parameters: SqlParameters): PlannedCheck {
  try {
    return { kind: 'scan', check: declaredCheck(subject, spec, parameters) };
  } catch (thrown) {
    if (!(thrown instanceof PipelineError)) throw thrown;
    const limits = limitsOf(spec);
    return {
      kind: 'result',
      result: undecided(
        {
          checkId: spec.id,
          table: subject.table,
          owner: subject.owner,
          severity: severityOf(limits),
          description: spec.description,
          expected: promiseOf(limits),
        },
        `${spec.location.file}:${spec.location.line}: ${thrown.message}`,
      ),
    };
  }
}

function declaredCheck(subject: Subject, spec: CheckSpec, parameters: SqlParameters): ScanCheck {
  const { column } = spec;
  const given = { id: spec.id, description: spec.description, limits: limitsOf(spec) };
  if (spec.unique) return uniqueCheck(subject, { ...given, key: spec.unique, scope: 'touched' });
  if (spec.sql !== null) return sqlCheck(subject, { ...given, sql: spec.sql, parameters });
  if (column !== null) {
    if (!subject.columns.some((known) => known.name === column)) {
      throw new PipelineError(
        'sql_invalid',
        `check ${spec.id} is about column ${column}, which ${subject.table} does not have. Correct its \`column\`.`,
      );
    }
    if (spec.acceptedValues) return acceptedValuesCheck(subject, { ...given, column, values: spec.acceptedValues });
    if (spec.range) return rangeCheck(subject, { ...given, column, range: spec.range });
    if (spec.regex !== null) return regexCheck(subject, { ...given, column, regex: spec.regex });
    if (spec.notNull) return notNullCheck(subject, { ...given, column });
  }
  throw new PipelineError('sql_invalid', `check ${spec.id} says neither column nor sql. Give it one subject.`);
}
