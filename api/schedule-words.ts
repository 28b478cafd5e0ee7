/** A schedule -> one English phrase: when it ticks, in which zone, and which days a tick covers. */
import type { Schedule } from '../core/types.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

const NAMED: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const WINDOWS: Readonly<Record<Schedule['window'], string>> = {
  previous_day: 'covers the day before',
  same_day: 'covers its own day',
  since_last: 'covers the time since the last tick',
};

/** `every day at 06:00 UTC, covers the day before`; `only when triggered` without a schedule. */
export function scheduleInWords(schedule: Schedule | null): string {
  if (!schedule) return 'only when triggered';
  return `${cronInWords(schedule.cron)} ${schedule.timezone}, ${WINDOWS[schedule.window]}`;
}

/** Words for the patterns that people write; any other expression is quoted as it stands. */
export function cronInWords(cron: string): string {
  const quoted = `at cron ${cron}`;
  const fields = (NAMED[cron] ?? cron).trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || minute === undefined || hour === undefined || month !== '*') return quoted;
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (step !== undefined && hour === '*' && day === '*' && weekday === '*') return `every ${step} minutes`;
  if (!/^\d+$/.test(minute)) return quoted;
  if (hour === '*' && day === '*' && weekday === '*') return `every hour at minute ${minute}`;
  if (!/^\d+$/.test(hour)) return quoted;
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  if (day === '*' && weekday === '*') return `every day at ${time}`;
  if (day === '*' && weekday === '1-5') return `Monday to Friday at ${time}`;
  if (day === '*' && weekday !== undefined && /^[0-7]$/.test(weekday)) {
    return `every ${WEEKDAYS[Number(weekday)] ?? ''} at ${time}`;
  }
  if (weekday === '*' && day !== undefined && /^\d+$/.test(day)) return `on day ${day} of the month at ${time}`;
  return quoted;
}
