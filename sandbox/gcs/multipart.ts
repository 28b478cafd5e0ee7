/** A `multipart/related` body of two parts -> its JSON text and the stream of its media. */
import { invalid } from './api-error.ts';

export interface MultipartUpload {
  /** The first part. */
  readonly metadata: string;
  /** Of the second part; null where it names none. */
  readonly contentType: string | null;
  /** Ends with an error where the closing boundary never comes. */
  readonly media: AsyncIterable<Uint8Array>;
}

const MAX_HEAD_BYTES = 1024 * 1024;
const BLANK_LINE = Buffer.from('\r\n\r\n');

/** @source Cloud Storage, "Upload objects: JSON API multipart upload"; RFC 2046, 5.1.1 */
export async function readMultipart(contentType: string, chunks: AsyncIterable<Uint8Array>): Promise<MultipartUpload> {
  const boundary = boundaryOf(contentType);
  const reader = new DelimitedReader(chunks);
  const opening = Buffer.from(`--${boundary}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  await reader.readUntil(opening);
  const first = await readHead(reader);
  const metadata = await reader.readUntil(delimiter);
  const second = await readHead(reader);
  if (first.has('content-transfer-encoding') || second.has('content-transfer-encoding'))
    throw invalid('Content-Transfer-Encoding is not supported in a part of a multipart upload.');
  return {
    metadata: metadata.toString('utf8'),
    contentType: second.get('content-type') ?? null,
    media: reader.streamUntil(delimiter),
  };
}

function boundaryOf(contentType: string): string {
  const match = /^multipart\/related\s*;.*?boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (!boundary) throw invalid('A multipart upload needs the header Content-Type: multipart/related; boundary=…');
  return boundary;
}

async function readHead(reader: DelimitedReader): Promise<ReadonlyMap<string, string>> {
  const text = (await reader.readUntil(BLANK_LINE)).toString('utf8');
  const headers = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

/** Reads a stream piece by piece, each up to a delimiter that is swallowed. */
class DelimitedReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async readUntil(delimiter: Buffer): Promise<Buffer> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      if (at >= 0) {
        const found = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + delimiter.byteLength);
        return found;
      }
      if (this.#held.byteLength > MAX_HEAD_BYTES)
        throw invalid('The metadata part of the multipart upload is too big.');
      this.#held = Buffer.concat([this.#held, await this.#next()]);
    }
  }

  /** Then reads on to the end of the stream, so that the connection can be used again. */
  async *streamUntil(delimiter: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = this.#held.indexOf(delimiter);
      if (at >= 0) {
        if (at > 0) yield this.#held.subarray(0, at);
        await this.#drain();
        return;
      }
      const safe = this.#held.byteLength - delimiter.byteLength + 1;
      if (safe > 0) {
        yield this.#held.subarray(0, safe);
        this.#held = this.#held.subarray(safe);
      }
      this.#held = Buffer.concat([this.#held, await this.#next()]);
    }
  }

  async #next(): Promise<Uint8Array> {
    const { done, value } = await this.#chunks.next();
    if (done) throw invalid('The multipart upload ends before its closing boundary.');
    return value;
  }

  async #drain(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }
}
