import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { AttemptTimer } from '../../scheduler/executors/attempt-timer.ts';
import { systemClock } from './scheduler-fixtures.ts';

const DAY_MS = 86_400_000;
let fired = 0;

function timer(limitMs: number): AttemptTimer {
  fired = 0;
  return new AttemptTimer(systemClock, limitMs, () => {
    fired += 1;
  });
}

/** How often it has fired after so many milliseconds more. */
function after(ms: number): number {
  mock.timers.tick(ms);
  return fired;
}

describe('the time of an attempt', () => {
  beforeEach((context) => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    if ('after' in context) context.after(() => mock.timers.reset());
  });

  test('is over when it is over, once', () => {
    timer(100);
    assert.equal(after(99), 0);
    assert.equal(after(1), 1);
    assert.equal(after(1000), 1);
  });

  test('stands still while it is held, and goes on with what was left', () => {
    const held = timer(100);
    assert.equal(after(60), 0);
    held.hold(true);
    held.hold(true);
    assert.equal(after(DAY_MS), 0);
    held.hold(false);
    held.hold(false);
    assert.equal(after(39), 0);
    assert.equal(after(1), 1);
  });

  test('adds up over several holds', () => {
    const held = timer(100);
    for (let n = 0; n < 3; n += 1) {
      assert.equal(after(30), 0);
      held.hold(true);
      assert.equal(after(5000), 0);
      held.hold(false);
    }
    assert.equal(after(9), 0);
    assert.equal(after(1), 1);
  });

  test('is not lengthened by a clock that is set back during it', () => {
    const held = timer(100);
    after(60);
    mock.timers.setTime(0);
    held.hold(true);
    held.hold(false);
    assert.equal(after(100), 1);
  });

  test('never ends once it is stopped, whatever is said after', () => {
    const stopped = timer(100);
    stopped.hold(true);
    stopped.stop();
    stopped.hold(false);
    assert.equal(after(DAY_MS), 0);
    assert.equal(stopped.isHeld, false);
  });

  test('may be longer than a timer of the system can be', () => {
    timer(60 * DAY_MS);
    for (let day = 1; day < 60; day += 1) assert.equal(after(DAY_MS), 0, `day ${day}`);
    // A timer set while another one fires begins at the end of that tick, here.
    for (let day = 60; day < 63; day += 1) after(DAY_MS);
    assert.equal(fired, 1);
  });
});
