/** A clock and a file -> generation numbers that never repeat, whatever the clock does and whoever restarts. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** How far ahead numbers are reserved, in microseconds, so that the file is written once in ten seconds at most. */
const RESERVED = 10_000_000;

/**
 * Numbers like microseconds since the epoch, each above every earlier one of this file.
 *
 * The file holds a bound that no number given out has reached; after a kill, numbers go on from that bound.
 */
export function openGenerations(file: string, nowMs: () => number): () => number {
  let last = readBound(file);
  let bound = last;
  return () => {
    last = Math.max(last + 1, nowMs() * 1000);
    if (last >= bound) {
      bound = last + RESERVED;
      writeFileSync(`${file}.draft`, String(bound));
      renameSync(`${file}.draft`, file);
    }
    return last;
  };
}

function readBound(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw thrown;
  }
}
