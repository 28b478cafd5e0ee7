/** A glob -> the names that it matches. */
import { invalid } from './api-error.ts';

/**
 * `*` any but a slash, `**` any, `?` one but a slash, `[a-z]`, `[!a]`, `{one,two}`, `\` before a character taken literally.
 *
 * @source Cloud Storage, "List objects using a glob pattern" (read 2026-11-21)
 */
export function globMatcher(glob: string): (name: string) => boolean {
  const pattern = new RegExp(`^${translate(glob)}$`, 'su');
  return (name) => pattern.test(name);
}

function translate(glob: string): string {
  let pattern = '';
  let depth = 0;
  for (let i = 0; i < glob.length; i += 1) {
    const at = glob[i] ?? '';
    const rest = glob.slice(i);
    const set = /^\[(!?)([^\]]+)\]/.exec(rest);
    if (at === '\\' && i + 1 < glob.length) pattern += literal(glob[++i] ?? '');
    else if (rest.startsWith('**')) {
      pattern += '.*';
      i += 1;
    } else if (at === '*') pattern += '[^/]*';
    else if (at === '?') pattern += '[^/]';
    else if (set) {
      pattern += `[${set[1] ? '^' : ''}${(set[2] ?? '').replace(/[\\[\]^&]/g, '\\$&')}]`;
      i += set[0].length - 1;
    } else if (at === '{') {
      pattern += '(?:';
      depth += 1;
    } else if (at === '}' && depth > 0) {
      pattern += ')';
      depth -= 1;
    } else if (at === ',' && depth > 0) pattern += '|';
    else pattern += literal(at);
  }
  if (depth > 0) throw invalid(`Invalid value for matchGlob: ${glob}`, 'matchGlob');
  return pattern;
}

const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
