/** One generation of an object -> its bytes in order, piece by piece, in bounded memory. */
import { crc32c as update } from '@node-rs/crc32';
import type { ByteRange } from '../../core/ports.ts';
import { encodeCrc32c } from '../crc32c.ts';
import type { CloudApi, CloudObject, CloudPiece } from './api.ts';
import { CloudFault } from './fault.ts';
import type { Retry } from './retry.ts';

/** Two are held at once: the one that is handed on, and the next on its way. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** What is read. `generation` null: nobody looked, because size and checksum are known from where it was written. */
export type StreamedObject = Pick<CloudObject, 'name' | 'sizeBytes' | 'crc32c'> & {
  readonly generation: string | null;
};

/**
 * Each piece is a request of its own under the generation, be it that of the first piece, so a broken connection costs one piece
 * and a replacement of the object meanwhile is noticed. Read as a whole, the bytes are held against the checksum at the end.
 *
 * @throws CloudFault `missing` where the generation is gone; `corrupt`
 */
export async function* streamObject(
  api: CloudApi,
  retry: Retry,
  object: StreamedObject,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const { start, end } = resolveRange(range, object.sizeBytes);
  const isWhole = start === 0 && end === object.sizeBytes;
  let { generation } = object;
  const fetchPiece = (at: number): Promise<CloudPiece> => {
    const of = { ...object, generation };
    const piece = retry(() => readPiece(api, of, at, Math.min(end, at + PIECE_BYTES)));
    piece.catch(() => {}); // Fetched ahead: where the reader leaves before it, its failure is nobody's.
    return piece;
  };
  let sum = 0;
  for (let at = start, next = start < end ? fetchPiece(start) : null; next !== null; ) {
    const { body, ...piece } = await next;
    generation = piece.generation;
    at += body.byteLength;
    next = at < end ? fetchPiece(at) : null;
    if (isWhole) sum = update(body, sum);
    yield body;
  }
  if (isWhole && object.crc32c !== null && object.crc32c !== encodeCrc32c(sum)) {
    const says = object.generation === null ? 'it was written with' : 'the store says';
    throw new CloudFault('corrupt', `its bytes have the crc32c ${encodeCrc32c(sum)}, ${says} ${object.crc32c}`, {
      mayRepeat: false,
    });
  }
}

async function readPiece(api: CloudApi, object: StreamedObject, start: number, end: number): Promise<CloudPiece> {
  const { name, generation } = object;
  const piece = await api.read(name, { generation, start, end });
  if (piece === null) {
    const what =
      generation === null ? 'it does not exist' : `generation ${generation} was replaced or deleted meanwhile`;
    throw new CloudFault('missing', what);
  }
  const { byteLength } = piece.body;
  if (byteLength === end - start) return piece;
  // Of a generation whose size is known this is a broken answer; else it may be all that there is.
  const kind = generation === null ? 'corrupt' : 'transient';
  throw new CloudFault(kind, `${byteLength} bytes came where ${end - start} were asked for`);
}

/** As `Array.slice` reads a range. */
export function resolveRange(range: ByteRange, sizeBytes: number): { readonly start: number; readonly end: number } {
  const start = range.start < 0 ? Math.max(0, sizeBytes + range.start) : Math.min(range.start, sizeBytes);
  return { start, end: Math.max(start, Math.min(sizeBytes, range.end ?? sizeBytes)) };
}
