/** What every check of a spec needs: the spec, the tree it came from, and where faults go. */
import type { SourceLocation, Spec } from '../core/spec.ts';
import type { IssueLog } from './issue-log.ts';
import { keyOfMapping } from './shape-issues.ts';
import type { RawSpec } from './spec-schema.ts';
import { keyLocationAt, locationAt, type MapNode, type TreePath } from './yaml-tree.ts';

export interface CheckContext {
  readonly spec: Spec;
  /** In the same order as the lists of `spec`. */
  readonly raw: RawSpec;
  readonly tree: MapNode;
  readonly linesByFile: ReadonlyMap<string, readonly string[]>;
  readonly log: IssueLog;
  /** Words of files and entries that could not be read: what they name may be meant to exist, so it is not called unknown. */
  readonly unreadWords: ReadonlySet<string>;
  /** Keys that are there but could not be read, as `keyOfMapping` writes them. */
  readonly cutKeys: ReadonlySet<string>;
  /** Modules that `file:` names and that are there, relative to the project root. */
  readonly modules: ReadonlySet<string>;
}

/** Columns that every silver table has besides its own. */
export const IMPLICIT_COLUMNS: readonly string[] = [
  'ingestion_dt',
  'batch_id',
  'ingestion_ts',
  'event_id',
  'source_file',
];

/** Where base silver notes which bronze partition a row came from. */
export const RESERVED_COLUMN = 'bronze_partition';

export const valueAt = (context: CheckContext, path: TreePath): SourceLocation => locationAt(context.tree, path);

export const keyAt = (context: CheckContext, path: TreePath): SourceLocation => keyLocationAt(context.tree, path);

/** Says that a mapping lacks a key. */
export function reportMissing(context: CheckContext, path: TreePath, what: string, key: string, example: string): void {
  const at = valueAt(context, path);
  if (context.cutKeys.has(keyOfMapping(at, key))) return;
  context.log.error({
    code: 'missing_key',
    at,
    message: `${what} has no ${key}`,
    expected: `${key}: ${example}`,
  });
}
