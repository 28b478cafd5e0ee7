/** YAML text -> a tree in which every key and every value knows its file, line and column; faults go to the log. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';
import type { SourceLocation } from '../core/spec.ts';
import type { JsonValue } from '../core/types.ts';
import type { IssueCode, IssueLog } from './issue-log.ts';

export interface MapNode {
  readonly kind: 'map';
  readonly at: SourceLocation;
  readonly entries: ReadonlyMap<string, { readonly keyAt: SourceLocation; readonly node: TreeNode }>;
}

export interface ListNode {
  readonly kind: 'list';
  readonly at: SourceLocation;
  readonly items: readonly TreeNode[];
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly at: SourceLocation;
  readonly value: string | number | boolean | null;
  /** How it was written: only `plain` text can become a number after `${…}` is filled in; `file` is the rest of a file. */
  readonly style: 'plain' | 'quoted' | 'block' | 'file';
  /** True where a `${…}` in it had no value: that is reported, and what the rest of it looks like is no fault. */
  readonly isUnset?: boolean;
}

export type TreeNode = MapNode | ListNode | ScalarNode;

export type TreePath = readonly (string | number)[];

/** Anchors may be repeated, not multiplied: ten lines of aliases can name a billion values. */
const MAX_NODES = 100_000;

/**
 * Reads one YAML document.
 *
 * `firstLine` is the line of the file on which the text begins (a mart's header begins below the file's top).
 * Null where the text gives no mapping; the log then says why. A text with faults still gives what could be read of it,
 * `complete` false.
 */
export function parseYamlTree(
  text: string,
  file: string,
  log: IssueLog,
  firstLine = 1,
): { readonly tree: MapNode | null; readonly complete: boolean } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false });
  const place = (offset: number): SourceLocation => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(line, 1) + firstLine - 1, column: Math.max(col, 1) };
  };
  for (const fault of telling([...document.errors, ...document.warnings])) {
    log.error({ ...yamlFault(fault.code, fault.message), at: place(fault.pos[0]) });
  }
  const complete = document.errors.length === 0 && document.warnings.length === 0;
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    if (complete) {
      const at = place(0);
      log.error({
        code: 'empty_file',
        at,
        message: 'the file declares nothing',
        expected: 'a mapping, e.g. pipeline: shop',
      });
    }
    return { tree: null, complete };
  }
  const builder = new TreeBuilder(document, place, log);
  const tree = builder.build(root);
  if (tree.kind === 'map') return { tree, complete: complete && builder.complete };
  if (complete) {
    const found = tree.kind === 'list' ? 'a list' : 'a single value';
    log.error({
      code: 'not_a_mapping',
      at: tree.at,
      message: `the file holds ${found}, not a mapping`,
      expected: 'keys at the top, e.g. base_silver: {tables: […]}',
    });
  }
  return { tree: null, complete };
}

/** Past a fault of syntax the parser only guesses: tabs are all told, else the first fault, which the others follow from. */
function telling<T extends { readonly code: string; readonly pos: readonly [number, number] }>(
  faults: readonly T[],
): readonly T[] {
  const tabs = faults.filter(({ code }) => code === 'TAB_AS_INDENT');
  return tabs.length > 0 ? tabs : [...faults].sort((a, b) => a.pos[0] - b.pos[0]).slice(0, 1);
}

function yamlFault(
  yamlCode: string,
  message: string,
): { code: IssueCode; message: string; expected: string; hint: string | null } {
  if (yamlCode === 'TAB_AS_INDENT') {
    return {
      code: 'tab_indent',
      message: 'a tab indents this line',
      expected: 'spaces',
      hint: 'replace the tab by two spaces',
    };
  }
  if (yamlCode === 'MULTIPLE_DOCS') {
    return {
      code: 'bad_yaml',
      message: 'a second document begins here',
      expected: 'one document a file',
      hint: 'remove the --- line',
    };
  }
  const hint =
    yamlCode === 'BAD_SCALAR_START' || yamlCode === 'UNEXPECTED_TOKEN' ? 'put the value in double quotes' : null;
  return { code: 'bad_yaml', message: lowerFirst(message), expected: 'valid YAML 1.2', hint };
}

class TreeBuilder {
  readonly #document: Document;
  readonly #place: (offset: number) => SourceLocation;
  readonly #log: IssueLog;
  readonly #open = new Set<Node>();
  #targets: ReadonlyMap<Alias, Node> | null = null;
  #nodes = 0;
  #complete = true;

  constructor(document: Document, place: (offset: number) => SourceLocation, log: IssueLog) {
    this.#document = document;
    this.#place = place;
    this.#log = log;
  }

  /** False where an alias could not be followed: what stands there is then not what was meant. */
  get complete(): boolean {
    return this.#complete;
  }

  build(node: Node, at = this.#place(node.range?.[0] ?? 0)): TreeNode {
    if (isAlias(node)) return this.#alias(node, at);
    this.#nodes++;
    if (this.#nodes > MAX_NODES) {
      if (this.#nodes > MAX_NODES + 1) return nullNode(at);
      return this.#broken(at, 'the aliases name too many values', `at most ${MAX_NODES} values`);
    }
    this.#open.add(node);
    try {
      if (isMap(node)) return this.#map(node.items, at);
      if (isSeq(node)) return { kind: 'list', at, items: node.items.map((item) => this.build(this.#asNode(item))) };
      return this.#scalar(node, at);
    } finally {
      this.#open.delete(node);
    }
  }

  #alias(alias: Alias, at: SourceLocation): TreeNode {
    this.#targets ??= aliasTargets(this.#document);
    const target = this.#targets.get(alias);
    if (!target) return this.#broken(at, `nothing above is named &${alias.source}`, 'an alias of an anchor above it');
    if (this.#open.has(target)) {
      return this.#broken(at, 'an alias stands inside the value that it names', 'an alias of another value');
    }
    return this.build(target, at);
  }

  #broken(at: SourceLocation, message: string, expected: string): TreeNode {
    this.#complete = false;
    this.#log.error({ code: 'bad_yaml', at, message, expected });
    return nullNode(at);
  }

  #map(pairs: readonly { key: unknown; value: unknown }[], at: SourceLocation): MapNode {
    const entries = new Map<string, { keyAt: SourceLocation; node: TreeNode }>();
    for (const pair of pairs) {
      const key = this.#asNode(pair.key);
      const keyAt = this.#place(key.range?.[0] ?? 0);
      if (!isScalar(key) || key.value === null) {
        if (this.#document.errors.length > 0) continue;
        this.#log.error({
          code: 'bad_yaml',
          at: keyAt,
          message: 'a key is not a word',
          expected: 'a plain word before the colon',
        });
        continue;
      }
      const name = String(key.value);
      const earlier = entries.get(name);
      if (earlier) {
        this.#log.error({
          code: 'duplicate_key',
          at: keyAt,
          message: `"${name}" is set twice; the first time at ${placeText(earlier.keyAt)}`,
          expected: 'each key once',
        });
        continue;
      }
      entries.set(name, { keyAt, node: pair.value === null ? nullNode(keyAt) : this.build(this.#asNode(pair.value)) });
    }
    return { kind: 'map', at, entries };
  }

  #scalar(node: Node, at: SourceLocation): ScalarNode {
    const scalar = isScalar(node) ? node : new Scalar(null);
    const style =
      scalar.type === Scalar.PLAIN || scalar.type === undefined
        ? 'plain'
        : scalar.type === Scalar.BLOCK_LITERAL || scalar.type === Scalar.BLOCK_FOLDED
          ? 'block'
          : 'quoted';
    const value: unknown = scalar.value;
    if (
      typeof value === 'number' &&
      (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
    ) {
      this.#log.error({
        code: 'bad_value',
        at,
        message: `${scalar.source ?? String(value)} cannot be kept exactly`,
        expected: 'a whole number below 2^53, or a finite decimal',
        hint: 'put it in double quotes to keep it as text',
      });
      return { kind: 'scalar', at, value: 0, style };
    }
    const plain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
    return { kind: 'scalar', at, value: plain, style };
  }

  /** The library types keys and items loosely; after parsing they are nodes. */
  #asNode(value: unknown): Node {
    return value === null || value === undefined ? new Scalar(null) : (value as Node);
  }
}

/** What each alias names: the last anchor of its name above it. The library's `resolve` walks the whole document for each. */
function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node)) {
        if (node.anchor) anchors.set(node.anchor, node);
        return;
      }
      const target = anchors.get(node.source);
      if (target) targets.set(node, target);
    },
  });
  return targets;
}

/** The text of a plain value after `${…}` was filled in -> the value that YAML would have read there. */
export function resolvePlainScalar(text: string): string | number | boolean | null {
  const document = parseDocument(text, { prettyErrors: false });
  const node = document.contents;
  if (document.errors.length > 0 || !isScalar(node) || node.type !== Scalar.PLAIN) return text;
  const value: unknown = node.value;
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value;
  return typeof value === 'boolean' || value === null ? value : text;
}

/** The tree without its places. */
export function treeValue(node: TreeNode): JsonValue {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(treeValue);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, treeValue(entry.node)]));
  }
}

/** What stands at a path; null where nothing does. */
export function nodeAt(root: TreeNode, path: TreePath): TreeNode | null {
  let node: TreeNode | undefined = root;
  for (const step of path) {
    if (node.kind === 'map') node = node.entries.get(String(step))?.node;
    else if (node.kind === 'list' && typeof step === 'number') node = node.items[step];
    else node = undefined;
    if (!node) return null;
  }
  return node;
}

/** Where the value at a path stands; where nothing does, the nearest thing around it. */
export function locationAt(root: TreeNode, path: TreePath): SourceLocation {
  for (let length = path.length; length > 0; length--) {
    const node = nodeAt(root, path.slice(0, length));
    if (node) return node.at;
  }
  return root.at;
}

/** Where the key at the end of a path stands; for a list's item, the item. */
export function keyLocationAt(root: TreeNode, path: TreePath): SourceLocation {
  const parent = nodeAt(root, path.slice(0, -1));
  const entry = parent?.kind === 'map' ? parent.entries.get(String(path.at(-1))) : undefined;
  return entry?.keyAt ?? locationAt(root, path);
}

/**
 * A line and column inside a scalar's text -> the place in the file.
 * Exact where the text stands in the file as it is; else the scalar's start.
 */
export function placeInScalar(
  scalar: ScalarNode,
  lines: readonly string[],
  inText: { readonly line: number; readonly column: number },
): SourceLocation {
  const { at } = scalar;
  const text = String(scalar.value);
  const textLine = text.split('\n')[inText.line - 1];
  if (textLine === undefined) return at;
  if (scalar.style === 'file') {
    return { ...at, line: at.line + inText.line - 1, column: inText.column + (inText.line === 1 ? at.column - 1 : 0) };
  }
  if (scalar.style === 'block') {
    const line = at.line + inText.line;
    const start = lines[line - 1]?.indexOf(textLine) ?? -1;
    return start < 0 || textLine === '' ? at : { ...at, line, column: start + inText.column };
  }
  const start = at.column - 1 + (scalar.style === 'quoted' ? 1 : 0);
  const isVerbatim = !text.includes('\n') && (lines[at.line - 1]?.startsWith(text, start) ?? false);
  return isVerbatim ? { ...at, column: start + inText.column } : at;
}

export const placeText = (at: SourceLocation): string => `${at.file}:${at.line}:${at.column}`;

const nullNode = (at: SourceLocation): ScalarNode => ({ kind: 'scalar', at, value: null, style: 'plain' });

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
