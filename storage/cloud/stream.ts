/** One generation of an object -> its bytes in order, piece by piece, in bounded memory. */
import { crc32c as update } from '@node-rs/crc32';
import type { ByteRange } from '../../core/ports.ts';
import { encodeCrc32c } from '../crc32c.ts';
import type { CloudApi, CloudObject } from './api.ts';
import { CloudFault } from './fault.ts';
import type { Retry } from './retry.ts';

/** Two are held at once: the one that is handed on, and the next on its way. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Each piece is a request of its own under the generation, so a broken connection costs one piece and a replacement of
 * the object meanwhile is noticed. Read as a whole, the bytes are held against the stored checksum at the end.
 *
 * @throws CloudFault `missing` where the generation is gone; `corrupt`
 */
export async function* streamObject(
  api: CloudApi,
  retry: Retry,
  object: CloudObject,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const { start, end } = resolveRange(range, object.sizeBytes);
  const isWhole = start === 0 && end === object.sizeBytes;
  const fetchPiece = (at: number): Promise<Uint8Array> => {
    const piece = retry(() => readPiece(api, object, at, Math.min(end, at + PIECE_BYTES)));
    piece.catch(() => {}); // Fetched ahead: where the reader leaves before it, its failure is nobody's.
    return piece;
  };
  let sum = 0;
  for (let at = start, next = start < end ? fetchPiece(start) : null; next !== null; ) {
    const piece = await next;
    at += piece.byteLength;
    next = at < end ? fetchPiece(at) : null;
    if (isWhole) sum = update(piece, sum);
    yield piece;
  }
  if (isWhole && object.crc32c !== null && object.crc32c !== encodeCrc32c(sum)) {
    throw new CloudFault('corrupt', `its bytes have the crc32c ${encodeCrc32c(sum)}, the store says ${object.crc32c}`, {
      mayRepeat: false,
    });
  }
}

async function readPiece(api: CloudApi, object: CloudObject, start: number, end: number): Promise<Uint8Array> {
  const piece = await api.read(object.name, { generation: object.generation, start, end });
  if (piece === null)
    throw new CloudFault('missing', `generation ${object.generation} was replaced or deleted meanwhile`);
  const { byteLength } = piece.body;
  if (byteLength === end - start) return piece.body;
  throw new CloudFault('transient', `${byteLength} bytes came where ${end - start} were asked for`);
}

/** As `Array.slice` reads a range. */
export function resolveRange(range: ByteRange, sizeBytes: number): { readonly start: number; readonly end: number } {
  const start = range.start < 0 ? Math.max(0, sizeBytes + range.start) : Math.min(range.start, sizeBytes);
  return { start, end: Math.max(start, Math.min(sizeBytes, range.end ?? sizeBytes)) };
}
