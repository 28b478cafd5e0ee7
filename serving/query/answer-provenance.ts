/** The publications that a query reads -> these and all that they were built from, with one verdict over them. */
import { PipelineError } from '../../core/errors.ts';
import type { PublicationReader } from '../../core/ports.ts';
import type { JsonValue, Publication, PublishedLayer, PublishedTable, Verdict } from '../../core/types.ts';

export interface AnswerSource {
  readonly layer: PublishedLayer;
  readonly sequence: number;
  /** Null where that version is kept no more. */
  readonly publishedAt: string | null;
  /** Of its gate; null where the layer has no gate, or the version is kept no more. */
  readonly verdict: Verdict | null;
}

export interface Provenance {
  /** One version of each layer that was read, the most refined first. */
  readonly publications: readonly AnswerSource[];
  /** The versions that these were built from, directly or not. */
  readonly inputs: readonly AnswerSource[];
  /** The worst of all that is known; null where nothing is. */
  readonly verdict: Verdict | null;
}

export interface ReadTable {
  readonly publication: Publication;
  readonly table: PublishedTable;
}

const REFINED_FIRST: readonly PublishedLayer[] = ['gold', 'enriched', 'dims', 'silver'];

/** What is known of versions by `layer/sequence`; they never change, so that one memory serves every query of a lake. */
export type SourceMemory = Map<string, { readonly source: AnswerSource; readonly versions: readonly Version[] }>;

/** What a table remembers of the versions that its rows were made from: marts under `versions`, enriched tables at the top. */
export async function provenanceOf(
  publications: PublicationReader,
  read: readonly ReadTable[],
  memory: SourceMemory = new Map(),
): Promise<Provenance> {
  const seen = new Map<string, AnswerSource>();
  const own = new Set<string>();
  for (const { publication } of read) {
    own.add(keyOf(publication));
    seen.set(keyOf(publication), sourceOf(publication));
  }
  const pending = read.flatMap(({ table }) => versionsIn(table));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(keyOf(next))) continue;
    const known = memory.get(keyOf(next)) ?? (await look(publications, next));
    memory.set(keyOf(next), known);
    seen.set(keyOf(next), known.source);
    pending.push(...known.versions);
  }
  const sorted = [...seen.values()].sort(
    (a, b) => REFINED_FIRST.indexOf(a.layer) - REFINED_FIRST.indexOf(b.layer) || b.sequence - a.sequence,
  );
  return {
    publications: sorted.filter((source) => own.has(keyOf(source))),
    inputs: sorted.filter((source) => !own.has(keyOf(source))),
    verdict: worstOf(sorted.map(({ verdict }) => verdict)),
  };
}

export interface Version {
  readonly layer: PublishedLayer;
  readonly sequence: number;
}

const keyOf = ({ layer, sequence }: Version): string => `${layer}/${sequence}`;

function versionsIn({ state }: PublishedTable): readonly Version[] {
  const marts = objectOf(state.versions);
  return REFINED_FIRST.flatMap((layer) => {
    const sequence = marts?.[layer] ?? state[layer];
    return typeof sequence === 'number' ? [{ layer, sequence }] : [];
  });
}

function objectOf(value: JsonValue | undefined): { readonly [key: string]: JsonValue } | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: JsonValue })
    : null;
}

async function look(
  publications: PublicationReader,
  { layer, sequence }: Version,
): Promise<{ readonly source: AnswerSource; readonly versions: readonly Version[] }> {
  try {
    const publication = await publications.at(layer, sequence);
    return { source: sourceOf(publication), versions: Object.values(publication.tables).flatMap(versionsIn) };
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'publication_not_found') throw thrown;
    return { source: { layer, sequence, publishedAt: null, verdict: null }, versions: [] };
  }
}

function sourceOf({ layer, sequence, publishedAt, verdict }: Publication): AnswerSource {
  return { layer, sequence, publishedAt, verdict };
}

function worstOf(verdicts: readonly (Verdict | null)[]): Verdict | null {
  for (const worst of ['FAIL', 'WARN', 'PASS'] as const) if (verdicts.includes(worst)) return worst;
  return null;
}
