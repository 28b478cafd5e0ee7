/** The body of an HTTP request -> its bytes as they come, to the last one that arrived before a connection broke. */
import type { IncomingMessage } from 'node:http';

const MAX_HELD_BYTES = 1024 * 1024;

/** How a body ended; the error is null where it is whole. */
interface End {
  readonly error: Error | null;
}

/**
 * Takes bytes from this call on, and holds up to a megabyte of them. Unlike the request's own iterator it does not forget what
 * it holds when the connection breaks, nor end the connection when its reader stops early. To be read once.
 *
 * The iteration throws the request's error, `ECONNRESET` where the client went away.
 */
export function bodyOf(incoming: IncomingMessage): AsyncIterable<Uint8Array> {
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  let end: End | null = null;
  let wake = (): void => {};
  const finish = (error: Error | null): void => {
    end ??= { error };
    wake();
  };
  incoming.on('data', (chunk: Buffer) => {
    held.push(chunk);
    heldBytes += chunk.byteLength;
    if (heldBytes >= MAX_HELD_BYTES) incoming.pause();
    wake();
  });
  incoming.on('end', () => finish(null));
  incoming.on('error', finish);
  incoming.on('close', () => finish(Object.assign(new Error('the connection broke'), { code: 'ECONNRESET' })));
  const take = (): Uint8Array | undefined => {
    const chunk = held.shift();
    heldBytes -= chunk?.byteLength ?? 0;
    if (heldBytes < MAX_HELD_BYTES && incoming.isPaused()) incoming.resume();
    return chunk;
  };
  const endOf = (): End | null => end;
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const chunk = take();
        if (chunk) {
          yield chunk;
          continue;
        }
        const ended = endOf();
        if (ended?.error) throw ended.error;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** What an early answer leaves unread would be taken for the connection's next request. */
export function drain(incoming: IncomingMessage): void {
  incoming.removeAllListeners('data').resume();
}
