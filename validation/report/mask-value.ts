/** A value and the pii tag of its column -> the text that a report may show. */

const DOTS = '•••••';

/**
 * `email` keeps its first letter (`a•••@•••`); other tags keep only a prefix that names the kind of id (`CUST-•••••`).
 * A null stays visible, because that a value is missing says nothing about a person.
 */
export function maskValue(value: string | null, pii: string | null): string {
  if (value === null) return '∅';
  if (pii === null) return value;
  if (pii === 'email') {
    const first = [...value.trim()][0] ?? '';
    return value.includes('@') && first !== '@' ? `${first}•••@•••` : DOTS;
  }
  const prefix = /^[A-Z]{2,10}-(?=.)/.exec(value.trim())?.[0] ?? '';
  return `${prefix}${DOTS}`;
}
