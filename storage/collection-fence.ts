/** Garbage collection and publishers of old objects -> two lists in the lake by which neither acts behind the other's back. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { attemptPrefix, CLAIMS_PREFIX, CONDEMNED_KEY, keySafe } from '../core/object-keys.ts';
import type { ObjectStore } from '../core/ports.ts';
import { LAYERS, type PublishedLayer } from '../core/types.ts';
import { parseJson } from './publication-format.ts';

/**
 * A collector writes down what it condemns and then reads the claims; a publisher writes its claim and then reads what is
 * condemned. Whatever the order of the four, at least one of them sees the other and gives way: the collector spares what
 * is claimed, the publisher refuses what is condemned. A publish of young objects needs neither, because no collector
 * touches what is younger than the grace time.
 */
export interface Condemned {
  /** By layer: versions below this number. */
  readonly below: { readonly [layer in PublishedLayer]?: number };
  /** `silver/_staging/<run>/<task>/<try>/` of every object that goes. */
  readonly attempts: readonly string[];
}

/** What a publisher is about to make visible. */
export interface Claim {
  readonly layer: PublishedLayer;
  readonly runId: string;
  /** The version that a rollback publishes again, and with it all newer ones. */
  readonly sequence: number | null;
  readonly attempts: readonly string[];
}

const publishedLayer = z.enum(LAYERS).exclude(['bronze']);
const condemnedFile = z.object({
  format_version: z.literal(1),
  below: z.partialRecord(publishedLayer, z.int().positive()),
  attempts: z.array(z.string()),
});
const claimFile = z.object({
  format_version: z.literal(1),
  layer: publishedLayer,
  run_id: z.string(),
  sequence: z.int().positive().nullable(),
  attempts: z.array(z.string()),
});

const REMOVE_ADVICE = 'Delete it once no garbage collection and no publisher is at work; it holds no data.';

/**
 * Runs the work while no collection takes what is claimed.
 *
 * @throws PipelineError `publication_not_found`, `object_not_found` where a collection is taking it already
 */
export async function withClaim<T>(store: ObjectStore, claim: Claim, work: () => Promise<T>): Promise<T> {
  const key = `${CLAIMS_PREFIX}${keySafe(`${claim.layer}.${claim.runId}`)}.${randomUUID()}.json`;
  const { layer, runId, sequence, attempts } = claim;
  const body = { format_version: 1, layer, run_id: runId, sequence, attempts };
  await store.write(key, Buffer.from(`${JSON.stringify(body)}\n`), 'absent');
  try {
    assertSpared(claim, (await readCondemned(store)).condemned);
    return await work();
  } finally {
    // A claim that stays behind only puts off a collection, which removes it after the grace time.
    await store.delete(key).catch(() => false);
  }
}

function assertSpared(claim: Claim, condemned: Condemned): void {
  const { layer, sequence } = claim;
  const advice = 'If that collection died, end it with: assay gc.';
  if (sequence !== null && sequence < (condemned.below[layer] ?? 0)) {
    throw new PipelineError(
      'publication_not_found',
      `Version ${sequence} of ${layer} is being removed by a garbage collection, because retention no longer keeps it. ${advice} ` +
        `assay versions ${layer} lists what is kept.`,
      { context: { layer, sequence } },
    );
  }
  const attempt = claim.attempts.find((prefix) => condemned.attempts.includes(prefix));
  if (attempt === undefined) return;
  throw new PipelineError(
    'object_not_found',
    `${attempt} was staged longer ago than the grace time and is being removed by a garbage collection; nothing was published. ` +
      `${advice} Clear the task that built it, to stage it again.`,
    { context: { layer, attempt } },
  );
}

export interface CondemnedObject {
  readonly condemned: Condemned;
  /** Null: there is none. */
  readonly generation: string | null;
}

export async function readCondemned(store: ObjectStore): Promise<CondemnedObject> {
  const object = await store.read(CONDEMNED_KEY);
  if (object === null) return { condemned: { below: {}, attempts: [] }, generation: null };
  const { below, attempts } = parseJson(
    CONDEMNED_KEY,
    object.body,
    condemnedFile,
    'list of a garbage collection',
    REMOVE_ADVICE,
  );
  return { condemned: { below, attempts }, generation: object.generation };
}

/**
 * Adds to what is condemned, also to what a collection condemned that died or is still at it. Gives the generation.
 *
 * @throws PipelineError `state_conflict` where another collection begins in the same moment
 */
export async function condemn(store: ObjectStore, more: Condemned): Promise<string> {
  const { condemned, generation } = await readCondemned(store);
  const below = { ...condemned.below };
  for (const layer of LAYERS) {
    if (layer === 'bronze') continue;
    const floor = Math.max(below[layer] ?? 0, more.below[layer] ?? 0);
    if (floor > 0) below[layer] = floor;
  }
  const attempts = [...new Set([...condemned.attempts, ...more.attempts])].sort();
  const body = Buffer.from(`${JSON.stringify({ format_version: 1, token: randomUUID(), below, attempts })}\n`);
  try {
    return (await store.write(CONDEMNED_KEY, body, generation === null ? 'absent' : { generation })).generation;
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
    throw new PipelineError(
      'state_conflict',
      'Another garbage collection of this lake began in the same moment. Let it end, then run assay gc again.',
      { cause: thrown },
    );
  }
}

/** Leaves it to whoever has condemned more meanwhile. */
export async function acquit(store: ObjectStore, generation: string): Promise<void> {
  try {
    await store.delete(CONDEMNED_KEY, { generation });
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
  }
}

/** Claims of publishers that may still be at work; older ones are removed. */
export async function liveClaims(store: ObjectStore, notBeforeMs: number): Promise<readonly Claim[]> {
  const claims: Claim[] = [];
  for await (const { key, writtenAtMs, generation } of store.list(CLAIMS_PREFIX)) {
    if (writtenAtMs < notBeforeMs) await store.delete(key, { generation });
    else claims.push(...(await readClaim(store, key)));
  }
  return claims;
}

/** Empty where its publisher has ended meanwhile. */
async function readClaim(store: ObjectStore, key: string): Promise<readonly Claim[]> {
  const object = await store.read(key);
  if (object === null) return [];
  const claim = parseJson(key, object.body, claimFile, 'claim of a publisher', REMOVE_ADVICE);
  return [{ layer: claim.layer, runId: claim.run_id, sequence: claim.sequence, attempts: claim.attempts }];
}

export function attemptsOf(keys: Iterable<string>): readonly string[] {
  const prefixes = new Set<string>();
  for (const key of keys) {
    const prefix = attemptPrefix(key);
    if (prefix !== null) prefixes.add(prefix);
  }
  return [...prefixes].sort();
}
