/** Lines of one attempt -> a JSON-lines file, capped; and back. */
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogLine } from '../control.ts';

/** A task that prints in a loop must not fill the disk. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_LINE_BYTES = 64 * 1024;

/** Appends as lines come; the file appears with the first. A log that cannot be written is given up, the attempt is not. */
export class AttemptLog {
  readonly #path: string;
  #stream: WriteStream | null = null;
  #bytes = 0;
  #isFull = false;

  constructor(path: string) {
    this.#path = path;
  }

  write(line: LogLine): void {
    if (this.#isFull) return;
    let text = JSON.stringify(line);
    if (text.length > MAX_LINE_BYTES) {
      const { timestamp, level, event } = line;
      text = JSON.stringify({ timestamp, level, event: `${event.slice(0, MAX_LINE_BYTES / 2)} … (cut)` });
    }
    this.#bytes += Buffer.byteLength(text) + 1;
    if (this.#bytes > MAX_BYTES) {
      this.#isFull = true;
      const event = `The log ends here: it has reached ${MAX_BYTES / 1024 / 1024} MB.`;
      text = JSON.stringify({ timestamp: line.timestamp, level: 'warn', event });
    }
    this.#open()?.write(`${text}\n`);
  }

  /** Resolves once the lines are in the file. */
  async close(): Promise<void> {
    const stream = this.#stream;
    if (!stream || stream.destroyed) return;
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.end();
    });
  }

  #open(): WriteStream | null {
    if (this.#stream) return this.#stream;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      const stream = createWriteStream(this.#path, { flags: 'a' });
      stream.on('error', () => {
        this.#isFull = true;
      });
      this.#stream = stream;
      return stream;
    } catch {
      this.#isFull = true;
      return null;
    }
  }
}

/** All whole lines of a log, oldest first; empty where there is none. The last line of a killed writer may be cut: it is left out. */
export async function readAttemptLog(path: string): Promise<readonly LogLine[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}
