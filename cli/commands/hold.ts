/** `assay hold`: keeps a layer as readers see it, or lets it be published again. */
import type { PublishedLayer } from '../../core/types.ts';
import type { Hold } from '../../storage/hold-file.ts';
import type { Publications } from '../../storage/publications.ts';
import { holdWords, whoAmI } from '../hold-words.ts';
import { openLake } from '../lake.ts';
import { type GlobalFlags, openProject, requirePipeline } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';
import { parseLayer } from './publications.ts';

interface HoldOptions {
  readonly reason?: string;
  readonly release?: boolean;
  readonly pipeline?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Takes no project lock: it has to work while a server runs. */
export async function hold(flags: GlobalFlags, layerName: string, options: HoldOptions): Promise<void> {
  const layer = parseLayer(layerName);
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const { publications } = await openLake(project.settings, spec.pipeline);
  const outcome =
    (options.dryRun ?? false)
      ? await preview(publications, layer, options.release ?? false)
      : await (options.release ? release(publications, layer) : place(publications, layer, options.reason));
  if (options.json) printJson(outcome.facts);
  else printLines([outcome.line]);
}

interface Outcome {
  readonly line: string;
  readonly facts: {
    readonly layer: PublishedLayer;
    readonly sequence: number;
    readonly hold: Hold | null;
    readonly changed: boolean;
  };
}

async function place(publications: Publications, layer: PublishedLayer, reason = ''): Promise<Outcome> {
  const words = { by: whoAmI(), reason: reason.trim() === '' ? null : reason.trim() };
  const { hold: placed, isNew, sequence } = await publications.hold(layer, words);
  const state = `Readers see ${describe(sequence)} until: assay hold ${layer} --release`;
  const line = isNew ? `${layer} is held. ${state}` : `${layer} was held before, ${holdWords(placed)}. ${state}`;
  return { line, facts: { layer, sequence, hold: placed, changed: isNew } };
}

async function release(publications: Publications, layer: PublishedLayer): Promise<Outcome> {
  const { wasHeld, sequence } = await publications.release(layer);
  const line = wasHeld
    ? `${layer} is released; readers see ${describe(sequence)}. Runs that the hold stopped go on once their publish task is cleared: assay clear <dag> <run> --only-failed`
    : `${layer} was not held.`;
  return { line, facts: { layer, sequence, hold: null, changed: wasHeld } };
}

async function preview(publications: Publications, layer: PublishedLayer, isRelease: boolean): Promise<Outcome> {
  const held = await publications.held(layer);
  const sequence = (await publications.current(layer))?.sequence ?? 0;
  const changed = isRelease === (held !== null);
  const now = held === null ? `${layer} is not held` : `${layer} is held ${holdWords(held)}`;
  const then = changed ? `it would be ${isRelease ? 'released' : 'held'}` : 'nothing would change';
  return {
    line: `${now}; readers see ${describe(sequence)}; ${then}.`,
    facts: { layer, sequence, hold: held, changed },
  };
}

const describe = (sequence: number): string => (sequence === 0 ? 'no version' : `version ${sequence}`);
