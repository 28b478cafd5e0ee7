/** A regular expression -> what is known of its groups. */

/** Without escapes and classes, in which brackets mean themselves. */
function bare(pattern: string): string {
  return pattern.replace(/\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]/g, 'x');
}

/** How many groups capture. */
export function regexpGroups(pattern: string): number {
  return bare(pattern).match(/\((?!\?)|\(\?P?</g)?.length ?? 0;
}

/** Whether a match may leave out the capturing group: `(a)?b`, `(a)|b`, `(?:(a)|b)`. */
export function leavesGroupOpen(pattern: string): boolean {
  const text = bare(pattern);
  if (regexpGroups(pattern) === 0) return false;
  /** Open brackets: whether each captures, or holds one that does, and whether `|` stands in it. */
  const open: { captures: boolean; holds: boolean; branches: boolean }[] = [
    { captures: false, holds: false, branches: false },
  ];
  for (let at = 0; at < text.length; at++) {
    const top = open.at(-1);
    if (text[at] === '(') {
      const captures = text[at + 1] !== '?' || /^\(\?P?</.test(text.slice(at));
      open.push({ captures, holds: false, branches: false });
    } else if (text[at] === '|' && top) top.branches = true;
    else if (text[at] === ')' && open.length > 1) {
      const closed = open.pop();
      if (!closed || !(closed.captures || closed.holds)) continue;
      const around = open.at(-1);
      if (around) around.holds = true;
      const mayRepeatNever = /^(\?|\*|\{0|\{,)/.test(text.slice(at + 1));
      if (mayRepeatNever || (closed.holds && closed.branches)) return true;
    }
  }
  const [whole] = open;
  return whole?.holds === true && whole.branches;
}
