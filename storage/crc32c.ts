/** Bytes or a file -> the CRC-32C as Cloud Storage writes it: base64 of four big-endian bytes. */
import { createReadStream } from 'node:fs';
import { crc32c as update } from '@node-rs/crc32';

const CHUNK_BYTES = 1024 * 1024;

export interface FileDigest {
  readonly sizeBytes: number;
  readonly crc32c: string;
}

export function crc32cOf(bytes: Uint8Array): string {
  return encodeCrc32c(update(bytes));
}

/** Reads the file once, a megabyte at a time. */
export async function digestFile(path: string): Promise<FileDigest> {
  let sum = 0;
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes = chunk as Buffer;
    sum = update(bytes, sum);
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
