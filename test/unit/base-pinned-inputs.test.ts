/** What a task finds of the earlier tasks of its run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pinnedBronze, pinnedSequence } from '../../core/pinned-inputs.ts';
import type { PinnedInputs, TaskOutput } from '../../core/types.ts';

const pin = (publications: PinnedInputs['publications'], bronze: PinnedInputs['bronze'] = {}): TaskOutput => ({
  kind: 'pinned',
  pinned: { layer: 'bronze', bronze, publications },
});

describe('pinned inputs', () => {
  test('of several pins the newest publication counts, none before some, and no pin is not the same as none', () => {
    assert.equal(pinnedSequence({}, 'silver'), undefined);
    assert.equal(pinnedSequence({ a: pin({ dims: 3 }) }, 'silver'), undefined);
    assert.equal(pinnedSequence({ a: pin({ silver: null }) }, 'silver'), null);
    assert.equal(pinnedSequence({ a: pin({ silver: null }), b: pin({ silver: 4 }) }, 'silver'), 4);
    assert.equal(pinnedSequence({ b: pin({ silver: 4 }), a: pin({ silver: null }) }, 'silver'), 4);
    assert.equal(pinnedSequence({ a: pin({ silver: 10 }), b: pin({ silver: 9 }) }, 'silver'), 10);
  });

  test('a table that no pin covers is told from one that has no partition', () => {
    const outputs = { a: { kind: 'nothing' } as const, b: pin({}, { orders: [] }) };
    assert.deepEqual(pinnedBronze(outputs, 'orders'), []);
    assert.equal(pinnedBronze(outputs, 'returns'), null);
  });
});
