/** `<layer>/_accepted/<dag>.<run>/<report>.json` <-> who lets a run pass a closed gate, why, and of which report. */
import { z } from 'zod';
import { acceptedKey } from '../core/object-keys.ts';
import type { AcceptanceReader, ObjectStore, RunFacts } from '../core/ports.ts';
import type { Acceptance, PublishedLayer } from '../core/types.ts';
import { parseJson } from './publication-format.ts';

const acceptanceFile = z.object({
  format_version: z.literal(1),
  by: z.string(),
  because: z.string(),
  since: z.iso.datetime(),
  /** Of the report that was read: what fails otherwise was not accepted. */
  failures: z.string(),
  held: z.array(z.string()),
});

/** One closed gate of one run. */
export interface ClosedGate {
  readonly layer: PublishedLayer;
  readonly run: Pick<RunFacts, 'dagId' | 'runId'>;
  readonly report: string;
  readonly failures: string;
}

const keyOf = ({ layer, run, report }: Omit<ClosedGate, 'failures'>): string =>
  acceptedKey(layer, run.dagId, run.runId, report);

/** The last word counts: a second one replaces the first. Nothing is published by it. */
export async function writeAcceptance(
  store: ObjectStore,
  gate: ClosedGate,
  { by, because, held }: Acceptance,
  since: string,
): Promise<void> {
  const document = { format_version: 1, by, because, since, failures: gate.failures, held };
  await store.write(keyOf(gate), Buffer.from(`${JSON.stringify(document, null, 2)}\n`));
}

/** @throws PipelineError `data_unreadable` where the file is damaged: a word that cannot be read opens no gate */
export function openAcceptances(store: ObjectStore): AcceptanceReader {
  return {
    accepted: async (layer, run, report, failures) => {
      const key = keyOf({ layer, run, report });
      const object = await store.read(key);
      if (object === null) return null;
      const advice = `The gate stays closed. Say it again: assay publish ${layer} --run ${run.runId} --because ….`;
      const { by, because, held, ...said } = parseJson(key, object.body, acceptanceFile, 'acceptance', advice);
      return said.failures === failures ? { by, because, held } : null;
    },
  };
}
