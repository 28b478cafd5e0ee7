/** A stream of bytes -> a file beside the objects, with the checksums that Cloud Storage tells. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32c as updateCrc32c } from '@node-rs/crc32';

/** A whole body in a file that nobody writes to any more. */
export interface FinishedBody {
  readonly path: string;
  readonly sizeBytes: number;
  readonly crc32c: string;
  readonly md5Hash: string;
}

/** Checksums of bytes that come piece by piece, both base64. */
export interface Checksums {
  update(bytes: Uint8Array): void;
  /** May be asked once. */
  finish(): { readonly crc32c: string; readonly md5Hash: string };
}

const WRITE_BYTES = 1024 * 1024;

export function startChecksums(): Checksums {
  const md5 = createHash('md5');
  let crc32c = 0;
  return {
    update: (bytes) => {
      md5.update(bytes);
      crc32c = updateCrc32c(bytes, crc32c);
    },
    finish: () => {
      const bigEndian = Buffer.alloc(4);
      bigEndian.writeUInt32BE(crc32c >>> 0);
      return { crc32c: bigEndian.toString('base64'), md5Hash: md5.digest('base64') };
    },
  };
}

/** Writes a new file, a megabyte at a time. What it threw half-way leaves a file that nothing refers to. */
export async function receiveBody(chunks: AsyncIterable<Uint8Array>, path: string): Promise<FinishedBody> {
  const checksums = startChecksums();
  const file = await open(path, 'wx');
  try {
    let sizeBytes = 0;
    let pending: Uint8Array[] = [];
    let pendingBytes = 0;
    for await (const chunk of chunks) {
      checksums.update(chunk);
      pending.push(chunk);
      pendingBytes += chunk.byteLength;
      if (pendingBytes < WRITE_BYTES) continue;
      await writeAll(file, pending, sizeBytes);
      sizeBytes += pendingBytes;
      pending = [];
      pendingBytes = 0;
    }
    await writeAll(file, pending, sizeBytes);
    return { path, sizeBytes: sizeBytes + pendingBytes, ...checksums.finish() };
  } finally {
    await file.close();
  }
}

/** Writes the pieces one after the other from a position on; the system may take fewer bytes at a time than it is given. */
export async function writeAll(file: FileHandle, pieces: readonly Uint8Array[], position: number): Promise<void> {
  let at = position;
  let rest = pieces.filter((piece) => piece.byteLength > 0);
  while (rest.length > 0) {
    const { bytesWritten } = await file.writev(rest, at);
    at += bytesWritten;
    rest = splitAt(rest, bytesWritten)[1];
  }
}

/** The pieces that make up the first so many bytes, and those of the rest; none is copied. */
export function splitAt(pieces: readonly Uint8Array[], bytes: number): [Uint8Array[], Uint8Array[]] {
  const head: Uint8Array[] = [];
  const tail: Uint8Array[] = [];
  let left = bytes;
  for (const piece of pieces) {
    if (left > 0) head.push(piece.subarray(0, left));
    if (left < piece.byteLength) tail.push(piece.subarray(left));
    left = Math.max(0, left - piece.byteLength);
  }
  return [head, tail];
}
