/** Trees of several files -> one tree, merged by top-level key; an overlay's tree laid over it by name or id. */
import { didYouMean } from '../core/did-you-mean.ts';
import { type IssueLog, meant } from './issue-log.ts';
import { type ListNode, type MapNode, nodeAt, placeText, type TreeNode } from './yaml-tree.ts';

/** Lists of named things, by the key that holds them, and the key that names their items. */
const IDENTITY = {
  tables: 'name',
  dims: 'name',
  transforms: 'name',
  marts: 'name',
  columns: 'name',
  dags: 'id',
  tasks: 'id',
  checks: 'id',
  foreign_keys: 'column',
  rules: 'reason',
  measures: 'name',
  dimensions: 'name',
} as const;

/** One code may have several conditions: `invalid_quantity` where it is missing, and where it is negative. */
const MAY_REPEAT: ReadonlySet<string> = new Set(['rules']);

export const EMPTY_TREE: MapNode = { kind: 'map', at: { file: '', line: 1, column: 1 }, entries: new Map() };

/** Lists of named things are joined; anything else that two files set is an error that names both places. */
export function mergeFiles(trees: readonly MapNode[], log: IssueLog): MapNode {
  const merged = trees.reduce(
    (left, right) => joinMaps(left, right, log),
    trees[0] ? { ...EMPTY_TREE, at: trees[0].at } : EMPTY_TREE,
  );
  return withoutRepeats(merged, log);
}

function joinMaps(left: MapNode, right: MapNode, log: IssueLog): MapNode {
  const entries = new Map(left.entries);
  for (const [key, added] of right.entries) {
    const present = entries.get(key);
    if (!present) {
      entries.set(key, added);
    } else if (present.node.kind === 'map' && added.node.kind === 'map') {
      entries.set(key, { ...present, node: joinMaps(present.node, added.node, log) });
    } else if (present.node.kind === 'list' && added.node.kind === 'list' && isNamedList(key, added.node)) {
      entries.set(key, { ...present, node: { ...present.node, items: [...present.node.items, ...added.node.items] } });
    } else {
      log.error({
        code: 'duplicate_key',
        at: added.keyAt,
        message: `"${key}" is set in two files; the other is ${placeText(present.keyAt)}`,
        expected: 'each key in one file; only overlays/<environment>.yml may set it again',
      });
    }
  }
  return { ...left, entries };
}

/**
 * Of two items of one name in one list, anywhere in the tree, the first stays and the second is reported.
 * Names differ by more than their case: SQL folds it.
 */
function withoutRepeats<Tree extends TreeNode>(node: Tree, log: IssueLog): Tree;
function withoutRepeats(node: TreeNode, log: IssueLog): TreeNode {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => withoutRepeats(item, log)) };
  if (node.kind !== 'map') return node;
  const entries = new Map(
    [...node.entries].map(([key, entry]) => {
      const inner = withoutRepeats(entry.node, log);
      return [key, { ...entry, node: inner.kind === 'list' ? firstOfEachName(key, inner, log) : inner }];
    }),
  );
  return { ...node, entries };
}

function firstOfEachName(key: string, list: ListNode, log: IssueLog): ListNode {
  if (MAY_REPEAT.has(key)) return list;
  const seen = new Map<string, TreeNode>();
  const items = list.items.filter((item) => {
    const name = identityOf(key, item);
    const earlier = name === null ? undefined : seen.get(name.toLowerCase());
    if (name !== null && !earlier) seen.set(name.toLowerCase(), item);
    if (!earlier) return true;
    log.error({
      code: 'duplicate_name',
      at: nameNode(key, item)?.at ?? item.at,
      message: `"${name}" is declared twice in ${key}; the first time at ${placeText((nameNode(key, earlier) ?? earlier).at)}`,
      expected: 'each name once',
      hint: 'remove one of them, or put the difference into overlays/<environment>.yml',
    });
    return false;
  });
  return { ...list, items };
}

/** The overlay wins: mappings merge, lists of named things merge by name, all else is replaced. */
export function mergeOverlay(base: MapNode, overlay: MapNode, log: IssueLog): MapNode {
  return overlayMap(base, overlay, log);
}

function overlayMap(base: MapNode, overlay: MapNode, log: IssueLog): MapNode {
  const entries = new Map(base.entries);
  for (const [key, added] of overlay.entries) {
    const present = entries.get(key);
    entries.set(key, present ? { ...added, node: overlayNode(key, present.node, added.node, log) } : added);
  }
  return { ...base, entries };
}

function overlayNode(key: string, base: TreeNode, overlay: TreeNode, log: IssueLog): TreeNode {
  if (base.kind === 'map' && overlay.kind === 'map') return overlayMap(base, overlay, log);
  if (base.kind !== 'list' || overlay.kind !== 'list' || !isNamedList(key, overlay)) return overlay;
  const items = [...base.items];
  for (const added of overlay.items) {
    const name = identityOf(key, added);
    const index = name === null ? -1 : items.findIndex((item) => identityOf(key, item) === name);
    const present = items[index];
    if (present?.kind === 'map' && added.kind === 'map') {
      items[index] = overlayMap(present, added, log);
      continue;
    }
    items.push(added);
    const known = base.items.map((item) => identityOf(key, item)).filter((item) => item !== null);
    log.warning({
      code: 'overlay_adds',
      at: nameNode(key, added)?.at ?? added.at,
      message: `"${name ?? ''}" is new in ${key}: the overlay adds it`,
      expected: `one of ${known.join(', ')}, to change it`,
      hint: meant(name === null ? null : didYouMean(name, known)),
    });
  }
  return { ...base, items };
}

function isNamedList(key: string, list: ListNode): boolean {
  return key in IDENTITY && list.items.every((item) => item.kind === 'map');
}

function nameNode(key: string, item: TreeNode): TreeNode | null {
  const identity = IDENTITY[key as keyof typeof IDENTITY];
  return identity === undefined ? null : nodeAt(item, [identity]);
}

function identityOf(key: string, item: TreeNode): string | null {
  const node = nameNode(key, item);
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : null;
}
