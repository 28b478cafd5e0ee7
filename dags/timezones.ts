/** A time zone's name -> whether it exists, and the fault where it does not. */
import { didYouMean } from '../core/did-you-mean.ts';
import { type CheckContext, valueAt } from './check-context.ts';
import { meant } from './issue-log.ts';
import type { TreePath } from './yaml-tree.ts';

/** What was asked before: ICU takes a quarter of a millisecond to say, the first time 15, and most specs name the same. */
const answers = new Map([['UTC', true]]);

/** An IANA name; an offset such as +02:00 is none, because it knows no daylight saving. */
export function isTimezone(name: string): boolean {
  const answer = answers.get(name) ?? isKnown(name);
  answers.set(name, answer);
  return answer;
}

function isKnown(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export function reportTimezone(context: CheckContext, path: TreePath, name: string): void {
  context.log.error({
    code: 'bad_timezone',
    at: valueAt(context, path),
    message: `there is no time zone "${name}"`,
    expected: 'an IANA name, e.g. UTC or Europe/Berlin',
    hint: meant(didYouMean(name, ['UTC', ...Intl.supportedValuesOf('timeZone')])),
  });
}
