/**
 * A cron text and a zone -> the instants at which it ticks.
 *
 * The pattern is matched against the zone's wall clock; croner does that part, on wall times dressed as UTC. Daylight saving
 * is decided here: a tick inside a gap falls on the first instant after it, one inside an overlap on its first occurrence,
 * and ticks strictly increase, so several ticks in one gap are one.
 */
import { Cron } from 'croner';
import { DAY_MS } from '../core/partition.ts';
import type { Schedule } from '../core/types.ts';
import { instantOfWall, wallTime } from './zone-time.ts';

export type CronSchedule = Pick<Schedule, 'cron' | 'timezone'>;

/** A leap day falls at most eight years after the last one. */
const LONGEST_PAUSE_MS = 9 * 366 * DAY_MS;
const SHORTEST_PROBE_MS = 2 * 60_000;

/** The first tick strictly after an instant (epoch ms); null where none ever comes. */
export function nextTick(schedule: CronSchedule, afterMs: number): number | null {
  const pattern = patternOf(schedule.cron);
  let wall = wallTime(afterMs, schedule.timezone);
  while (true) {
    const next = pattern.nextRun(new Date(wall));
    if (!next) return null;
    wall = next.getTime();
    const instant = instantOfWall(wall, schedule.timezone);
    if (instant > afterMs) return instant;
  }
}

/** The latest tick at or before an instant (epoch ms); null where there was none in the nine years before. */
export function lastTick(schedule: CronSchedule, atMs: number): number | null {
  let low = tickBefore(schedule, atMs);
  if (low === null) return null;
  let high = atMs;
  while (true) {
    const next = nextTick(schedule, low);
    if (next === null || next > atMs) return low;
    const middle = nextTick(schedule, Math.floor((next + high) / 2));
    if (middle !== null && middle <= atMs) {
      low = middle;
    } else {
      high = Math.floor((next + high) / 2);
      low = next;
    }
  }
}

/** Some tick at or before an instant, found by looking back ever further. */
function tickBefore(schedule: CronSchedule, atMs: number): number | null {
  for (let span = SHORTEST_PROBE_MS; span < 2 * LONGEST_PAUSE_MS; span *= 2) {
    const tick = nextTick(schedule, atMs - span);
    if (tick !== null && tick <= atMs) return tick;
  }
  return null;
}

const patterns = new Map<string, Cron>();

function patternOf(cron: string): Cron {
  let pattern = patterns.get(cron);
  if (!pattern) {
    pattern = new Cron(cron, { paused: true, timezone: 'UTC', mode: '5-or-6-parts' });
    patterns.set(cron, pattern);
  }
  return pattern;
}
