/** A Parquet file -> a Polars LazyFrame, and back: DuckDB and Polars hand rows to each other as files. */
import pl, { type LazyDataFrame } from 'nodejs-polars';
import { asPipelineError, PipelineError } from '../core/errors.ts';

/** Nothing is read before the frame is collected. DECIMAL, DATE and TIMESTAMPTZ keep their types (timestamps: microseconds, UTC). */
export function scanFrame(path: string): LazyDataFrame {
  return pl.scanParquet(path, { glob: false, hivePartitioning: false });
}

/**
 * Runs the plan once, streaming where Polars can, and writes its rows in no promised order.
 * Works off the event loop; a running plan cannot be cancelled, its process can be killed.
 *
 * @throws PipelineError `transform_failed` with Polars' own words, `storage_full`
 */
export async function writeFrame(frame: LazyDataFrame, path: string): Promise<void> {
  try {
    // sinkParquet only extends the plan: collect() is what writes.
    await frame.sinkParquet(path, { compression: 'lz4' }).collect({ streaming: true });
  } catch (thrown) {
    const known = asPipelineError(thrown);
    if (known.code !== 'internal') throw known;
    throw new PipelineError('transform_failed', plainMessage(known.message), { cause: thrown });
  }
}

/** What Polars said, without the query plan that it appends after an empty line. */
export function plainMessage(message: string): string {
  return (message.split('\n\n')[0] ?? message).trim();
}
