/** A thrown thing -> sentences on stderr and the exit code of its row in the error table. */
import { counted } from '../core/counted.ts';
import { asPipelineError, ERROR_CODES, SpecError, type SpecIssue } from '../core/errors.ts';

export function reportError(thrown: unknown): number {
  if (thrown instanceof SpecError) {
    process.stderr.write(`${renderIssues(thrown.issues)}\n`);
    return ERROR_CODES.spec_invalid.exitCode;
  }
  const error = asPipelineError(thrown);
  process.stderr.write(`${error.message}\n`);
  if (error.code === 'internal') {
    const stack = error.cause instanceof Error ? error.cause.stack : error.stack;
    process.stderr.write(`This is a bug in assay. Please report it with these lines:\n${stack ?? ''}\n`);
  } else process.stderr.write(`(${error.code})\n`);
  return ERROR_CODES[error.code].exitCode;
}

/** Every fault with place, line and caret, in order of place, and a closing count. */
export function renderIssues(issues: readonly SpecIssue[]): string {
  const count = (severity: SpecIssue['severity']) => issues.filter((issue) => issue.severity === severity).length;
  const summary = [
    counted(count('error'), 'error'),
    ...(count('warning') > 0 ? [counted(count('warning'), 'warning')] : []),
    ...(count('info') > 0 ? [counted(count('info'), 'note')] : []),
  ].join(', ');
  return [...issues.map(renderIssue), summary].join('\n');
}

function renderIssue(issue: SpecIssue): string {
  const { file, line, column } = issue.location;
  const head = `${file}:${line}:${column}  ${issue.severity}  ${issue.code}  ${issue.message}`;
  const number = String(line);
  const picture =
    issue.lineText.trim() === ''
      ? []
      : [`  ${number} | ${issue.lineText}`, `  ${' '.repeat(number.length)} | ${' '.repeat(Math.max(0, column - 1))}^`];
  const expected = issue.expected === '' ? [] : [`  expected: ${issue.expected}`];
  const hint = issue.hint === null ? [] : [`  hint: ${issue.hint}`];
  return [head, ...picture, ...expected, ...hint, ''].join('\n');
}
