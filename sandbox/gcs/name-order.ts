/** Object names -> their order in a listing: by the bytes of their UTF-8. */

/** Like comparing the UTF-8 bytes, which differs from `<` where a surrogate pair meets U+E000 to U+FFFF. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above every other code unit. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit > 0xdfff ? unit - 0x800 : unit + 0x2000;
}

/** Index of the first name that is not before the given one. */
export function indexAtOrAfter(sorted: readonly string[], name: string): number {
  return firstIndex(sorted, (candidate) => compareNames(candidate, name) >= 0);
}

/** Index of the first name after all those that begin with the prefix; names before `from` are not looked at. */
export function indexAfterPrefix(sorted: readonly string[], prefix: string, from: number): number {
  return firstIndex(sorted, (candidate) => !candidate.startsWith(prefix), from);
}

function firstIndex(sorted: readonly string[], isReached: (name: string) => boolean, from = 0): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(sorted[middle] ?? '')) high = middle;
    else low = middle + 1;
  }
  return low;
}
