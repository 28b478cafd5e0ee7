/** What a published mart remembers of how it was built <-> JSON. */
import type { JsonObject, JsonValue, PublishedLayer } from '../../core/types.ts';
import type { Contents } from './plan-mart.ts';

export interface MartState {
  /** Of every partition, also of days without rows. */
  readonly contents: Contents;
  /** Publications that the inputs were read from. */
  readonly versions: { readonly [layer in PublishedLayer]?: number };
}

export function martState({ contents, versions }: MartState): JsonObject {
  return { contents, versions };
}

/** Of a mart that is not published, or was by another version of this program: nothing. */
export function readMartState(table: { readonly state: JsonObject } | undefined): MartState {
  const { contents, versions } = table?.state ?? {};
  return { contents: entriesOf(contents, 'string'), versions: entriesOf(versions, 'number') };
}

function entriesOf<T extends 'string' | 'number'>(
  value: JsonValue | undefined,
  type: T,
): { readonly [key: string]: T extends 'string' ? string : number } {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = isObject ? Object.entries(value).filter(([, each]) => typeof each === type) : [];
  return Object.fromEntries(entries) as { readonly [key: string]: T extends 'string' ? string : number };
}
