/** Cron text -> how often a day it ticks, or what is wrong with it; when it ticks is the scheduler's to say. */

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words?: readonly string[];
  /** What croner takes besides numbers: L the last, W the nearest weekday, n#m the m-th weekday n. */
  readonly special?: RegExp;
}

const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59 },
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, special: /^(L|LW|W|\d{1,2}W)$/ },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 7, words: WEEKDAYS, special: /^(L|\w{1,3}L|\w{1,3}#[1-5L])$/ },
];

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
  const counts: number[] = [];
  for (const [index, field] of FIELDS.entries()) {
    const counted = countValues(six[index] ?? '', field);
    if (typeof counted === 'string') return { valid: false, message: counted };
    counts.push(counted);
  }
  const [seconds = 0, minutes = 0, hours = 0] = counts;
  const isEveryDay = six.slice(3).every((part) => part === '*' || part === '?');
  return { valid: true, ticksPerDay: seconds * minutes * hours, isEveryDay };
}

/** How many values a field stands for, or what is wrong with it. */
function countValues(text: string, field: Field): number | string {
  const values = new Set<number | string>();
  for (const part of text.toUpperCase().split(',')) {
    if (field.special?.test(part)) {
      values.add(part);
      continue;
    }
    const [, whole, from, to, step] = /^(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part) ?? [];
    if (whole === undefined && from === undefined) return `"${text}" is no ${field.name}`;
    const first = from === undefined ? field.min : numberOf(from, field);
    const last = to !== undefined ? numberOf(to, field) : from !== undefined && step === undefined ? first : field.max;
    const stride = step === undefined ? 1 : Number(step);
    if (first === null || last === null || stride < 1)
      return `"${part}" is no ${field.name} (${field.min} to ${field.max})`;
    if (first > last) return `"${part}" runs backwards in the field ${field.name}`;
    for (let value = first; value <= last; value += stride) values.add(value);
  }
  return values.size;
}

function numberOf(text: string, field: Field): number | null {
  const word = field.words?.indexOf(text) ?? -1;
  if (word >= 0) return word + field.min;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.min && value <= field.max ? value : null;
}
