/** Cron text -> how often a day it ticks, or what is wrong with it; when it ticks is the scheduler's to say. What is valid here, croner takes. */

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words?: readonly string[];
  /** What may stand besides numbers, the number or word that it is about captured: L the last, W the nearest weekday, n#m the m-th weekday n. */
  readonly special?: RegExp;
  /** How many values there are where two numbers mean the same; a step is at most this. */
  readonly size?: number;
}

const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59 },
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, special: /^(?:L|LW|(\d+)W)$/ },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 7, size: 7, words: WEEKDAYS, special: /^(\w+)(?:L|#[1-5L])$/ },
];

/** In a leap year. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const NICKNAMES: { readonly [name: string]: string } = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

export const CRON_NICKNAMES: readonly string[] = Object.keys(NICKNAMES);

export type CronSyntax =
  | { readonly valid: true; readonly ticksPerDay: number; readonly isEveryDay: boolean }
  | { readonly valid: false; readonly message: string };

/** Five fields (minute first), six (second first), or an @name, as croner 11 reads them. */
export function readCronSyntax(cron: string): CronSyntax {
  const text = cron.trim();
  if (text.startsWith('@')) {
    const fields = NICKNAMES[text.toLowerCase()];
    return fields === undefined ? { valid: false, message: `"${text}" is no schedule` } : readCronSyntax(fields);
  }
  const parts = text.split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) {
    return { valid: false, message: `"${text}" has ${text === '' ? 0 : parts.length} fields` };
  }
  const six = parts.length === 5 ? ['0', ...parts] : parts;
  const read: ReadonlySet<number>[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const values = readField(six[index] ?? '', field);
    if (typeof values === 'string') return { valid: false, message: values };
    read.push(values);
  }
  const [seconds, minutes, hours, days, months] = read;
  if (!seconds || !minutes || !hours || !days || !months) throw new Error('a cron text has six fields');
  const isEveryDay = six.slice(3).every(isWild);
  if (isWild(six[5] ?? '') && Math.min(...days) > Math.max(...[...months].map((month) => MONTH_DAYS[month - 1] ?? 0))) {
    return { valid: false, message: `"${text}" names a date that no calendar has` };
  }
  return { valid: true, ticksPerDay: seconds.size * minutes.size * hours.size, isEveryDay };
}

const isWild = (text: string): boolean => text === '*' || text === '?';

/** The numbers that a field stands for, or what is wrong with it. The last day of a month counts as its first: every month has one. */
function readField(text: string, field: Field): ReadonlySet<number> | string {
  const { name, min, max, size = max - min + 1 } = field;
  const values = new Set<number>();
  for (const part of text.toUpperCase().split(',')) {
    const special = field.special?.exec(part);
    if (special) {
      const value = special[1] === undefined ? min : numberOf(special[1], field);
      if (value === null) return `"${part}" is no ${name}`;
      if (part === 'LW' && text.length > part.length) return `"LW" stands alone in the field ${name}, not in "${text}"`;
      values.add(value);
      continue;
    }
    const [, wild, from, to, step] = /^(?:([*?])|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part) ?? [];
    if (wild === undefined && from === undefined) return `"${text}" is no ${name}`;
    if (step !== undefined && wild === undefined && to === undefined)
      return `"${part}" has a step without a range: write ${from}-${max}/${step} in the field ${name}`;
    const first = from === undefined ? min : numberOf(from, field);
    // A week may end on its Sunday: SAT-SUN.
    const isSunday = to === 'SUN' && field.words === WEEKDAYS;
    const last = isSunday || from === undefined ? max : to === undefined ? first : numberOf(to, field);
    const stride = step === undefined ? 1 : Number(step);
    if (first === null || last === null) return `"${part}" is no ${name} (${min} to ${max})`;
    if (stride < 1 || stride > size) return `"${part}" has a step beyond 1 to ${size} in the field ${name}`;
    if (first > last) return `"${part}" runs backwards in the field ${name}`;
    for (let value = first; value <= last; value += stride) values.add(value);
  }
  return values;
}

function numberOf(text: string, field: Field): number | null {
  const word = field.words?.indexOf(text) ?? -1;
  if (word >= 0) return word + field.min;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : null;
}
