/** A local file -> an object, chunk by chunk, going on from what the server has after a fault. */
import { type FileHandle, open } from 'node:fs/promises';
import type { CloudObject } from '../cloud/api.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Retry } from '../cloud/retry.ts';
import type { FileDigest } from '../crc32c.ts';
import type { HttpAnswer } from './http.ts';

/** A multiple of 256 KiB, as every chunk but the last must be. */
const CHUNK_BYTES = 8 * 1024 * 1024;

export interface ChunkedUpload {
  readonly localPath: string;
  readonly digest: FileDigest;
  readonly retry: Retry;
  /** Gives the address of the session. */
  begin(): Promise<string>;
  send(session: string, headers: { readonly [name: string]: string }, body: Uint8Array | null): Promise<HttpAnswer>;
  finish(answer: HttpAnswer): CloudObject;
}

/**
 * Holds one chunk in memory. After a fault the server is asked how far it came; a fault of the last reply is found out
 * in the same way. A chunk that makes headway gives the next one its full patience again.
 *
 * @throws CloudFault `transient` where the server forgot the session: whoever called begins anew
 * @source https://cloud.google.com/storage/docs/performing-resumable-uploads (read 2026-11-21)
 */
export async function uploadInChunks(upload: ChunkedUpload): Promise<CloudObject> {
  const session = await upload.begin();
  const file = await open(upload.localPath, 'r');
  try {
    return await sendChunks(upload, session, file);
  } catch (thrown) {
    // Forgotten, or finished by a request whose reply was lost: the caller looks before it begins anew.
    if (!(thrown instanceof CloudFault) || thrown.kind !== 'missing') throw thrown;
    throw new CloudFault('transient', `the server forgot the upload: ${thrown.message}`, { cause: thrown });
  } finally {
    await file.close();
  }
}

async function sendChunks(upload: ChunkedUpload, session: string, file: FileHandle): Promise<CloudObject> {
  const { sizeBytes } = upload.digest;
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, sizeBytes));
  for (let at = 0; ; ) {
    const chunk = await readChunk(file, buffer, at, sizeBytes);
    const answer = await sendChunk(upload, session, at, chunk);
    if (answer.status !== 308) return upload.finish(answer);
    const stored = storedBytes(answer);
    if (stored < at) throw new CloudFault('transient', `the server lost bytes ${stored} to ${at} of an upload`);
    if (stored > at + chunk.byteLength)
      throw new CloudFault(
        'transient',
        `the server claims ${stored} bytes of an upload, ${at + chunk.byteLength} were sent`,
      );
    at = stored;
  }
}

async function readChunk(file: FileHandle, buffer: Buffer, at: number, sizeBytes: number): Promise<Buffer> {
  const wanted = Math.min(buffer.byteLength, sizeBytes - at);
  const { bytesRead } = await file.read(buffer, 0, wanted, at);
  if (bytesRead < wanted) throw new CloudFault('rejected', 'the local file grew shorter while it was sent');
  return buffer.subarray(0, bytesRead);
}

/** Gives an answer that shows headway: a 308 with more bytes than before, or the end. */
function sendChunk(upload: ChunkedUpload, session: string, at: number, chunk: Buffer): Promise<HttpAnswer> {
  const { sizeBytes } = upload.digest;
  const total = `/${sizeBytes}`;
  let isInDoubt = chunk.byteLength === 0;
  return upload.retry(async () => {
    if (isInDoubt) {
      const status = await upload.send(session, { 'content-range': `bytes *${total}` }, null);
      if (status.status !== 308 || storedBytes(status) !== at) return status;
    }
    isInDoubt = true;
    const range = `bytes ${at}-${at + chunk.byteLength - 1}${total}`;
    const answer = await upload.send(session, { 'content-range': range }, chunk);
    if (answer.status !== 308 || storedBytes(answer) !== at) return answer;
    throw new CloudFault('transient', 'the server took no byte of a chunk');
  });
}

/** `range: bytes=0-8388607`; without it the server has nothing yet. */
function storedBytes(answer: HttpAnswer): number {
  const last = /(\d+)$/.exec(answer.headers.range ?? '')?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}
