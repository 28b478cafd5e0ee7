/** One query job from the parent -> its answer, sent back before this process ends. */
import { asPipelineError } from '../core/errors.ts';
import { queryGold } from '../serving/query-gold.ts';
import { openLake } from './lake.ts';
import type { QueryJob, QueryReply } from './run-query.ts';

process.once('message', (message) => {
  void answer(message as QueryJob).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));

async function answer(job: QueryJob): Promise<QueryReply> {
  try {
    const { publications, files } = await openLake(job.settings, job.pipeline);
    const { maxRows, maxSeconds, sql } = job;
    const { publication: read, ...answer } = await queryGold({ publications, lake: files, sql, maxRows, maxSeconds });
    // The most refined layer that was read comes first.
    const [publication = null] = read;
    const rows = answer.rows.map((row) => row.map((cell) => (typeof cell === 'bigint' ? String(cell) : cell)));
    return { ok: true, answer: { ...answer, rows, publication } };
  } catch (thrown) {
    const error = asPipelineError(thrown);
    return { ok: false, code: error.code, message: error.message };
  }
}
