/** A SQL LIKE pattern and a text -> do they match, without regard to case, in time linear in pattern times text. */

/** `%` stands for any characters, `_` for one; `a% | %b` matches either; a lone `~` matches everything. */
export function matchesLike(text: string, pattern: string): boolean {
  return pattern
    .split('|')
    .map((part) => part.trim())
    .some((part) => part === '~' || matchesOne(text.toLowerCase(), part.toLowerCase()));
}

/** Two pointers and one place to go back to: no pattern can make it backtrack exponentially. */
function matchesOne(text: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  let lastPercent = -1;
  let resumeAt = 0;
  while (at < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === '%') {
      lastPercent = inPattern++;
      resumeAt = at;
    } else if (wanted !== undefined && (wanted === '_' || wanted === text[at])) {
      at++;
      inPattern++;
    } else if (lastPercent >= 0) {
      inPattern = lastPercent + 1;
      at = ++resumeAt;
    } else {
      return false;
    }
  }
  return /^%*$/.test(pattern.slice(inPattern));
}
