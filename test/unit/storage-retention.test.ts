/** Which versions are kept, by number and by age. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKept, type RetentionPolicy } from '../../storage/plan-retention.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2025, 9, 31);

/** Versions published so many days ago, oldest first, of which the newest is visible; gives the numbers that are kept. */
function kept(daysAgo: readonly number[], policy: RetentionPolicy, visible = daysAgo.length): readonly number[] {
  const versions = daysAgo.map((days, index) => ({ sequence: index + 1, publishedAtMs: NOW - days * DAY_MS }));
  const moment = { nowMs: NOW, graceMs: 2 * DAY_MS, visible };
  return versions
    .filter((version, index) =>
      isKept(version, visible - version.sequence, versions[index + 1] ?? null, policy, moment),
    )
    .map(({ sequence }) => sequence);
}

describe('retention', () => {
  test('keeps so many versions, however old', () => {
    assert.deepEqual(kept([90, 80, 70, 60], { versions: 2, days: 0 }), [3, 4]);
    assert.deepEqual(kept([90, 80], { versions: 5, days: 0 }), [1, 2]);
  });

  test('keeps versions that readers saw within so many days, however many', () => {
    assert.deepEqual(kept([40, 30, 20, 10, 5], { versions: 2, days: 25 }), [2, 3, 4, 5]);
  });

  test('counts age from when a version was replaced', () => {
    assert.deepEqual(kept([400, 1, 1, 1], { versions: 2, days: 0 }), [1, 2, 3, 4]);
    assert.deepEqual(kept([400, 3, 1, 1], { versions: 2, days: 0 }), [2, 3, 4]);
  });

  test('keeps versions newer than the visible one, which count for nothing', () => {
    assert.deepEqual(kept([90, 80, 70, 60, 50], { versions: 2, days: 0 }, 4), [3, 4, 5]);
  });
});
