/** Bytes or a file -> the CRC-32C as Cloud Storage writes it: base64 of four big-endian bytes. */
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Crc32 from '@node-rs/crc32';

const CHUNK_BYTES = 1024 * 1024;

export interface FileDigest {
  readonly sizeBytes: number;
  readonly crc32c: string;
}

let native: typeof Crc32 | null = null;

/** Goes on with a sum over more bytes. The native module loads with the first ones: whoever only reads a lake needs none. */
export function updateCrc32c(bytes: Uint8Array, sum = 0): number {
  native ??= createRequire(import.meta.url)('@node-rs/crc32') as typeof Crc32;
  return native.crc32c(bytes, sum);
}

export function crc32cOf(bytes: Uint8Array): string {
  return encodeCrc32c(updateCrc32c(bytes));
}

/** Reads the file once, a megabyte at a time. */
export async function digestFile(path: string): Promise<FileDigest> {
  let sum = 0;
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes = chunk as Buffer;
    sum = updateCrc32c(bytes, sum);
    sizeBytes += bytes.byteLength;
  }
  return { sizeBytes, crc32c: encodeCrc32c(sum) };
}

/** Of a sum kept over several chunks. */
export function encodeCrc32c(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum >>> 0);
  return bytes.toString('base64');
}
