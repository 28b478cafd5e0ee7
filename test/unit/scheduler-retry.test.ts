import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RetryPolicy } from '../../core/types.ts';
import { delayAfter, isRetryable, lostInARow, retryDelayMs, retryPolicyOf, timeoutOf } from '../../scheduler/retry.ts';
import { NO_RETRY } from './scheduler-fixtures.ts';

const POLICY: RetryPolicy = { retries: 5, delayMs: 1000, exponentialBackoff: true, maxDelayMs: 10_000 };

describe('retries', () => {
  test('wait twice as long each time, a quarter more or less, up to the cap', () => {
    for (const [tryNumber, middle] of [
      [1, 1000],
      [2, 2000],
      [3, 4000],
      [4, 8000],
    ] as const) {
      const delay = retryDelayMs(POLICY, tryNumber, 'a/b/c');
      assert.ok(delay >= middle * 0.75 && delay <= Math.min(middle * 1.25, 10_000), `${tryNumber}: ${delay}`);
    }
    assert.equal(retryDelayMs(POLICY, 9, 'a/b/c'), 10_000);
    assert.equal(retryDelayMs(POLICY, 2000, 'a/b/c'), 10_000);
  });

  test('wait equally long for the same try, and apart from each other for different tasks', () => {
    assert.equal(retryDelayMs(POLICY, 2, 'x'), retryDelayMs(POLICY, 2, 'x'));
    const delays = new Set(Array.from({ length: 50 }, (_, n) => retryDelayMs(POLICY, 2, `task ${n}`)));
    assert.ok(delays.size > 40);
  });

  test('wait exactly the delay without backoff', () => {
    const plain = { ...POLICY, exponentialBackoff: false };
    assert.deepEqual(
      [1, 2, 7].map((tryNumber) => retryDelayMs(plain, tryNumber, 'x')),
      [1000, 1000, 1000],
    );
    assert.equal(retryDelayMs({ ...plain, maxDelayMs: 300 }, 1, 'x'), 300);
  });

  test('wait at least as long as the error asks for, also beyond the cap', () => {
    const plain = { ...POLICY, exponentialBackoff: false };
    const quota = { code: 'warehouse_quota', message: '', retryable: true };
    assert.equal(delayAfter(quota, plain, 1, 'x'), 1000);
    assert.equal(delayAfter({ ...quota, retryAfterMs: 400 }, plain, 1, 'x'), 1000);
    assert.equal(delayAfter({ ...quota, retryAfterMs: 3_600_000 }, plain, 1, 'x'), 3_600_000);
    assert.equal(delayAfter({ ...quota, retryAfterMs: Number.NaN }, plain, 1, 'x'), 1000);
  });

  test('are made only for errors that may pass by themselves', () => {
    assert.equal(isRetryable('storage_unavailable'), true);
    assert.equal(isRetryable('task_died'), true);
    assert.equal(isRetryable('task_timeout'), true);
    assert.equal(isRetryable('bronze_missing'), false);
    assert.equal(isRetryable('gate_failed'), false);
    assert.equal(isRetryable('internal'), false);
    assert.equal(isRetryable('no_such_code'), false);
    assert.equal(isRetryable('toString'), false);
  });

  test('follow the task where it says so and the environment elsewhere', () => {
    const defaults = { ...NO_RETRY, retry: POLICY };
    assert.deepEqual(retryPolicyOf({ retry: { retries: 1 } }, defaults), { ...POLICY, retries: 1 });
    assert.deepEqual(retryPolicyOf({ retry: null }, defaults), POLICY);
    assert.equal(timeoutOf({ timeoutMs: 5 }, defaults), 5);
    assert.equal(timeoutOf({ timeoutMs: null }, defaults), 60_000);
  });
});

describe('tries lost in a row', () => {
  const lost = { state: 'lost', error: { code: 'task_died' } };
  const stopped = { state: 'lost', error: { code: 'task_cancelled' } };
  const failed = { state: 'failed', error: { code: 'task_died' } };
  const success = { state: 'success', error: null };

  test('are those at the end that nobody stopped, and nothing else among them', () => {
    for (const [attempts, count] of [
      [[], 0],
      [[lost], 1],
      [[lost, lost], 2],
      [[lost, stopped], 0],
      [[lost, stopped, lost], 1],
      [[lost, lost, failed], 0],
      [[failed, lost, lost], 2],
      [[success, lost], 1],
    ] as const) {
      assert.equal(lostInARow(attempts), count, JSON.stringify(attempts));
    }
  });
});
