/** Sorted names, a question -> one page of names and prefixes, and where the next begins. */
import { invalid, notImplemented } from './api-error.ts';
import { globMatcher } from './match-glob.ts';
import { compareNames, indexAfterPrefix, indexAtOrAfter } from './name-order.ts';
import { numberOf } from './preconditions.ts';

export interface ListQuery {
  readonly prefix: string;
  /** Empty: none. */
  readonly delimiter: string;
  /** The first name that may be listed; null: the first there is. */
  readonly startOffset: string | null;
  /** The first name that may not. */
  readonly endOffset: string | null;
  readonly matches: ((name: string) => boolean) | null;
  readonly maxResults: number;
  readonly after: Entry | null;
}

/** A name, or a prefix that stands for all names that begin with it. */
interface Entry {
  readonly text: string;
  readonly isPrefix: boolean;
}

export interface ListPage {
  readonly names: readonly string[];
  readonly prefixes: readonly string[];
  readonly nextPageToken: string | null;
}

const MAX_RESULTS = 1000;

/** @source Cloud Storage JSON API, "Objects: list": at most 1,000 items and prefixes together (read 2026-11-21) */
export function parseListQuery(query: URLSearchParams): ListQuery {
  const maxResults = numberOf(query, 'maxResults') ?? MAX_RESULTS;
  if (maxResults === 0) throw invalid('Invalid value for maxResults: it must be at least 1.', 'maxResults');
  const delimiter = query.get('delimiter') ?? '';
  const glob = query.get('matchGlob');
  if (glob !== null && delimiter !== '') throw notImplemented('matchGlob together with delimiter');
  const token = query.get('pageToken');
  return {
    prefix: query.get('prefix') ?? '',
    delimiter,
    startOffset: query.get('startOffset'),
    endOffset: query.get('endOffset'),
    matches: glob === null ? null : globMatcher(glob),
    maxResults: Math.min(maxResults, MAX_RESULTS),
    after: token === null ? null : parseToken(token),
  };
}

/** Pure. A page may be empty of names that were added or removed since the one before; none is told twice. */
export function listPage(sorted: readonly string[], query: ListQuery): ListPage {
  const names: string[] = [];
  const prefixes: string[] = [];
  let last: Entry | null = null;
  let at = firstIndex(sorted, query);
  for (;;) {
    const name = sorted[at];
    if (name === undefined || !name.startsWith(query.prefix)) break;
    if (query.endOffset !== null && compareNames(name, query.endOffset) >= 0) break;
    if (query.matches && !query.matches(name)) {
      at += 1;
      continue;
    }
    if (names.length + prefixes.length === query.maxResults && last)
      return { names, prefixes, nextPageToken: tokenOf(last) };
    const folder = folderOf(name, query);
    if (folder === null) {
      names.push(name);
      at += 1;
    } else {
      prefixes.push(folder);
      at = indexAfterPrefix(sorted, folder, at);
    }
    last = { text: folder ?? name, isPrefix: folder !== null };
  }
  return { names, prefixes, nextPageToken: null };
}

/** The part up to the first delimiter behind the prefix; null where there is none. */
function folderOf(name: string, { prefix, delimiter }: ListQuery): string | null {
  if (delimiter === '') return null;
  const found = name.indexOf(delimiter, prefix.length);
  return found < 0 ? null : name.slice(0, found + delimiter.length);
}

function firstIndex(sorted: readonly string[], { prefix, startOffset, after }: ListQuery): number {
  const from = startOffset !== null && compareNames(startOffset, prefix) > 0 ? startOffset : prefix;
  const first = indexAtOrAfter(sorted, from);
  if (after === null) return first;
  const reached = indexAtOrAfter(sorted, after.text);
  if (after.isPrefix) return Math.max(first, indexAfterPrefix(sorted, after.text, reached));
  return Math.max(first, sorted[reached] === after.text ? reached + 1 : reached);
}

const tokenOf = (entry: Entry): string =>
  Buffer.from(`${entry.isPrefix ? 'p' : 'n'}${entry.text}`).toString('base64url');

function parseToken(token: string): Entry {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!/^[pn]./su.test(text)) throw invalid(`Invalid value for pageToken: ${token}`, 'pageToken');
  return { text: text.slice(1), isPrefix: text.startsWith('p') };
}
