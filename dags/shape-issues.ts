/** A merged tree and the schema -> the values that have the right shape, and one issue for each that has not. */
import { didYouMean } from '../core/did-you-mean.ts';
import type { SourceLocation } from '../core/spec.ts';
import { ISSUE_CODES, type IssueCode, type IssueLog, meant } from './issue-log.ts';
import { keysOf, schemaAt, wordsOf } from './spec-json-schema.ts';
import { type RawSpec, specSchema } from './spec-schema.ts';
import {
  keyLocationAt,
  locationAt,
  type MapNode,
  nodeAt,
  placeText,
  type TreeNode,
  type TreePath,
  treeValue,
} from './yaml-tree.ts';

type ShapeIssue = NonNullable<ReturnType<typeof specSchema.safeParse>['error']>['issues'][number];

export interface ShapedSpec {
  readonly raw: RawSpec;
  /** The tree that `raw` was read from: faulty parts cut off, so that indices agree. */
  readonly tree: MapNode;
  /** Every word of what was cut off: a name in there may be meant to exist. */
  readonly cutWords: ReadonlySet<string>;
  /** Keys that were cut off, as `keyOfMapping` writes them; they were there, so they are not called missing. */
  readonly cutKeys: ReadonlySet<string>;
}

/** A key of the mapping that begins at a place. */
export const keyOfMapping = (at: SourceLocation, key: string): string => `${placeText(at)}#${key}`;

/**
 * Reports every fault of shape, then cuts the faulty values off until the rest parses,
 * so that what refers to what can be checked in the same pass.
 */
export function shapeSpec(merged: MapNode, log: IssueLog): ShapedSpec {
  let tree = merged;
  let isFirst = true;
  const cutWords = new Set<string>();
  const cutKeys = new Set<string>();
  for (;;) {
    const result = specSchema.safeParse(treeValue(tree));
    if (result.success) return { raw: result.data, tree, cutWords, cutKeys };
    if (isFirst) for (const issue of result.error.issues) reportShape(issue, tree, log);
    isFirst = false;
    const paths = [
      ...new Map(result.error.issues.flatMap(faultyPaths).map((path) => [JSON.stringify(path), path])).values(),
    ];
    // From the back, so that cutting a list's item does not move the ones still to be cut.
    for (const path of paths.sort(comparePaths).reverse()) {
      const cut = nodeAt(tree, path);
      if (cut) collectWords(cut, cutWords);
      for (const key of meantKeys(path)) cutKeys.add(keyOfMapping(locationAt(tree, path.slice(0, -1)), key));
      tree = cutAt(tree, path) as MapNode;
    }
  }
}

/** A missing key is a fault of the mapping around it; an unknown one is cut off itself. */
function faultyPaths(issue: ShapeIssue): readonly TreePath[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...path, key]);
  return [isMissing(issue) ? path.slice(0, -1) : path];
}

/** The key that was written, and the one that was probably meant by it. */
function meantKeys(path: TreePath): readonly string[] {
  const key = String(path.at(-1));
  const suggestion = didYouMean(key, keysOf(schemaAt(path.slice(0, -1))));
  return suggestion === null ? [key] : [key, suggestion];
}

function isMissing(issue: ShapeIssue): boolean {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
}

function reportShape(issue: ShapeIssue, tree: MapNode, log: IssueLog): void {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const schema = schemaAt(path);
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schema);
    for (const key of issue.keys) {
      log.error({
        code: 'unknown_key',
        at: keyLocationAt(tree, [...path, key]),
        message: `"${key}" is no key of ${placeName(path)}`,
        expected: `one of ${known.join(', ')}`,
        hint: meant(didYouMean(key, known)),
      });
    }
    return;
  }
  const key = String(path.at(-1) ?? 'the file');
  if (isMissing(issue)) {
    log.error({
      code: 'missing_key',
      at: locationAt(tree, path.slice(0, -1)),
      message: `${placeName(path.slice(0, -1))} has no ${key}`,
      expected: `${key}: …`,
    });
    return;
  }
  const found = nodeAt(tree, path);
  if (found?.kind === 'scalar' && found.isUnset) return;
  const [code, expected] = wanted(issue);
  const text = found ? foundText(found) : 'nothing';
  log.error({
    code,
    at: locationAt(tree, path),
    message:
      typeof path.at(-1) === 'number'
        ? `${text} may not stand in ${placeName(path.slice(0, -1))}`
        : `${key} is ${text}`,
    expected,
    hint: found?.kind === 'scalar' ? meant(didYouMean(String(found.value), wordsOf(schema))) : null,
  });
}

/** Our own messages are `code: expectation`; zod's are turned into words here. */
function wanted(issue: ShapeIssue): readonly [IssueCode, string] {
  const own = /^([a-z_]+): ([\s\S]+)$/.exec(issue.message);
  if (own?.[1] && own[2] && own[1] in ISSUE_CODES) return [own[1] as IssueCode, own[2]];
  if (issue.code === 'invalid_type') return ['bad_type', TYPE_WORDS[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_value') return ['bad_value', issue.values.map(String).join(', ')];
  return ['bad_value', issue.message];
}

const TYPE_WORDS: { readonly [zodType: string]: string } = {
  string: 'a text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  array: 'a list, e.g. [a, b]',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
};

function foundText(node: TreeNode): string {
  if (node.kind === 'map') return 'a mapping';
  if (node.kind === 'list') return 'a list';
  return typeof node.value === 'string' ? `"${node.value}"` : node.value === null ? 'empty' : String(node.value);
}

/** `[dags, 0, tasks, 2]` -> `tasks[2]`, `[base_silver]` -> `base_silver`, `[]` -> `the file`. */
function placeName(path: TreePath): string {
  const last = path.at(-1);
  if (last === undefined) return 'the file';
  return typeof last === 'number' ? `an entry of ${String(path.at(-2))}` : last;
}

function cutAt(node: TreeNode, path: TreePath): TreeNode {
  const [step, ...rest] = path;
  if (step === undefined) return node.kind === 'map' ? { ...node, entries: new Map() } : node;
  if (node.kind === 'map') {
    const entries = new Map(node.entries);
    const entry = entries.get(String(step));
    if (!entry) return node;
    if (rest.length === 0) entries.delete(String(step));
    else entries.set(String(step), { ...entry, node: cutAt(entry.node, rest) });
    return { ...node, entries };
  }
  if (node.kind === 'list' && typeof step === 'number') {
    const items = rest.length === 0 ? node.items.filter((_, index) => index !== step) : [...node.items];
    const item = items[step];
    if (rest.length > 0 && item) items[step] = cutAt(item, rest);
    return { ...node, items };
  }
  return node;
}

function collectWords(node: TreeNode, words: Set<string>): void {
  if (node.kind === 'map') for (const entry of node.entries.values()) collectWords(entry.node, words);
  else if (node.kind === 'list') for (const item of node.items) collectWords(item, words);
  else words.add(String(node.value));
}

/** Parents before children, earlier items before later ones. */
function comparePaths(a: TreePath, b: TreePath): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const [left, right] = [a[index], b[index]];
    if (left === right) continue;
    if (typeof left === 'number' && typeof right === 'number') return left - right;
    return String(left) < String(right) ? -1 : 1;
  }
  return a.length - b.length;
}
