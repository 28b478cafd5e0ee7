/** `<layer>/_hold.json` -> who keeps a layer from being published, since when and why. */
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { holdKey } from '../core/object-keys.ts';
import type { ObjectStore } from '../core/ports.ts';
import { LAYERS, type PublishedLayer } from '../core/types.ts';
import { parseJson } from './publication-format.ts';

export interface Hold {
  readonly layer: PublishedLayer;
  /** `ada@db-7`, or what else tells whom to ask. */
  readonly by: string;
  /** ISO-8601, UTC. */
  readonly since: string;
  readonly reason: string | null;
}

const holdFile = z.object({
  format_version: z.literal(1),
  layer: z.enum(LAYERS).exclude(['bronze']),
  by: z.string(),
  since: z.iso.datetime(),
  reason: z.string().nullable(),
});

/**
 * Null where the layer is not held.
 *
 * @throws PipelineError `data_unreadable` where the file is damaged: nobody publishes past a hold that cannot be read
 */
export async function readHold(store: ObjectStore, layer: PublishedLayer): Promise<Hold | null> {
  const key = holdKey(layer);
  const object = await store.read(key);
  if (object === null) return null;
  const { by, since, reason } = parseJson(
    key,
    object.body,
    holdFile,
    'hold',
    `Nothing of ${layer} is published until it is lifted: assay hold ${layer} --release.`,
  );
  return { layer, by, since, reason };
}

export const renderHold = (hold: Hold): Uint8Array =>
  Buffer.from(`${JSON.stringify({ format_version: 1, ...hold }, null, 2)}\n`);

/** @param decided version that the hold caught between its decision and its pointer */
export function heldError(hold: Hold, decided?: number): PipelineError {
  const { layer, by, since, reason } = hold;
  const fate =
    decided === undefined
      ? 'Nothing was published'
      : `Version ${decided} was decided in the same moment and stays unseen until then`;
  return new PipelineError(
    'publish_held',
    `${layer} is held by ${by} since ${since}${reason === null ? '' : ` (${reason})`}, so readers keep what they see. ${fate}. ` +
      `Release it with: assay hold ${layer} --release; then clear the failed task, or repeat the command.`,
    { context: { layer, by, since, reason } },
  );
}
