/** Bytes in chunks -> their number and CRC-32C, in bounded memory. */
import type { FileHandle } from 'node:fs/promises';
import { encodeCrc32c, type FileDigest, updateCrc32c } from './crc32c.ts';

const CHUNK_BYTES = 1024 * 1024;

export async function digestChunks(chunks: AsyncIterable<Uint8Array>): Promise<FileDigest> {
  let sum = 0;
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sum = updateCrc32c(chunk, sum);
    sizeBytes += chunk.byteLength;
  }
  return { sizeBytes, crc32c: encodeCrc32c(sum) };
}

/** From the beginning of an open file, which may have lost its name. The buffer is used again, so a chunk ends with the next. */
export async function* chunksOf(handle: FileHandle): AsyncIterable<Uint8Array> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
