/** A layer's versions and its retention -> from which version on they are kept. Pure. */
import { DAY_MS } from '../core/partition.ts';

export interface RetentionPolicy {
  /** So many versions are kept, however old. */
  readonly versions: number;
  /** So are those that readers saw within so many days. */
  readonly days: number;
}

export interface DatedVersion {
  readonly sequence: number;
  /** Epoch ms. */
  readonly publishedAtMs: number;
}

export interface RetentionMoment {
  readonly nowMs: number;
  /** A reader or run that began with a version may use it for so long after the next one came. */
  readonly graceMs: number;
  /** What readers see: always kept, and nothing newer counts towards the number. */
  readonly visible: number;
}

/**
 * True where a version stays. Versions are kept without holes, so once one is let go all older ones are.
 *
 * A version ages from when the next one replaced it, not from when it was published: what readers saw until an hour ago is
 * an hour old, be it published last year.
 *
 * @param rank 0 for the visible version, 1 for the one before it, …
 * @param next null for the newest
 */
export function isKept(
  version: DatedVersion,
  rank: number,
  next: DatedVersion | null,
  policy: RetentionPolicy,
  { nowMs, graceMs, visible }: RetentionMoment,
): boolean {
  if (version.sequence >= visible || rank < policy.versions || next === null) return true;
  return nowMs - next.publishedAtMs < Math.max(policy.days * DAY_MS, graceMs);
}
