/** Query jobs from the parent -> their answers, one after another, with the engine loaded before the first one comes. */
import { asPipelineError } from '../core/errors.ts';
import { DuckDbSession } from '../engine/duckdb-session.ts';
import type { SourceMemory } from '../serving/query/answer-provenance.ts';
import { queryGold } from '../serving/query/query-gold.ts';
import { type Lake, openLake } from './lake.ts';
import type { ChildReply, QueryJob } from './query-pool.ts';

interface OpenedLake {
  readonly lake: Lake;
  readonly memory: SourceMemory;
}

/** By settings and pipeline: clients of a bucket are made once. */
const lakes = new Map<string, Promise<OpenedLake>>();

process.on('message', (message) => {
  void answer(message as QueryJob).then(say);
});
process.on('disconnect', () => process.exit(0));
await (await DuckDbSession.open()).close();
say({ type: 'ready' });

function say(reply: ChildReply): void {
  process.send?.(reply);
}

async function answer(job: QueryJob): Promise<ChildReply> {
  try {
    const { settings, pipeline, knownTags, tempDir, ...request } = job;
    const { lake, memory } = await openedLake(job);
    const answered = await queryGold({
      ...request,
      publications: lake.publications,
      lake: lake.files,
      memory,
      knownTags,
      duckdb: {
        memoryLimit: settings.values['engine.duckdb.memory_limit'],
        threads: settings.values['engine.threads'],
        tempDir,
      },
    });
    return { type: 'answer', answer: answered };
  } catch (thrown) {
    const { code, message } = asPipelineError(thrown);
    return { type: 'failed', code, message };
  }
}

function openedLake({ settings, pipeline }: QueryJob): Promise<OpenedLake> {
  const key = JSON.stringify([settings.root, settings.values, pipeline]);
  const known = lakes.get(key);
  if (known) return known;
  const opening = openLake(settings, pipeline).then((lake) => ({ lake, memory: new Map() }));
  lakes.set(key, opening);
  opening.catch(() => lakes.delete(key));
  return opening;
}
