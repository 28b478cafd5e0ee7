/** A decision -> the words for it in a report's title. Pure. */
import type { Decision } from '../../core/types.ts';

type Outcome = Pick<Decision, 'verdict' | 'mayPublish'> & {
  readonly accepted?: { readonly held: readonly string[] } | undefined;
};

/** `PASS`, `FAIL, not published`, `WARN, published without returns` */
export function outcomeWords({ accepted, mayPublish, verdict }: Outcome): string {
  if (accepted) {
    return accepted.held.length > 0
      ? `${verdict}, published without ${accepted.held.join(', ')}`
      : `${verdict}, published all the same`;
  }
  if (verdict !== 'FAIL') return verdict;
  return mayPublish ? 'FAIL, published with warnings (warning-only)' : 'FAIL, not published';
}
