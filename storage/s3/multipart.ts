/** A large file, or a large object -> an object in parts, which appears whole when the last request succeeds. */
import { open } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type { CloudObject } from '../cloud/api.ts';
import { CloudFault } from '../cloud/fault.ts';
import type { Retry } from '../cloud/retry.ts';
import { crc32cOf, type FileDigest } from '../crc32c.ts';
import { faulty } from './fault.ts';

const MAX_PARTS = 10_000;
const MIB = 1024 * 1024;

export interface PartsTarget {
  readonly client: S3Client;
  readonly bucket: string;
  readonly partBytes: number;
}

/** Stored with the object. */
export interface PartsSettings {
  readonly ContentType: string;
  readonly Metadata: Record<string, string>;
}

export interface PartsCondition {
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
}

interface Span {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** Gives the ETag. One part is in memory at a time and is repeated by itself; the server checks each part and the whole. */
export async function uploadInParts(
  target: PartsTarget,
  name: string,
  localPath: string,
  digest: FileDigest,
  settings: PartsSettings,
  condition: PartsCondition,
  retry: Retry,
): Promise<string | undefined> {
  const file = await open(localPath, 'r');
  try {
    return await inParts(target, name, digest, settings, condition, retry, async (uploadId, { number, start, end }) => {
      const body = Buffer.alloc(end - start);
      const { bytesRead } = await file.read(body, 0, body.byteLength, start);
      if (bytesRead < body.byteLength)
        throw new CloudFault('rejected', 'the local file grew shorter while it was sent');
      const sum = crc32cOf(body);
      const { ETag } = await retry(() =>
        faulty(
          target.client.send(
            new UploadPartCommand({
              Bucket: target.bucket,
              Key: name,
              UploadId: uploadId,
              PartNumber: number,
              Body: body,
              ChecksumCRC32C: sum,
            }),
          ),
        ),
      );
      return { PartNumber: number, ETag, ChecksumCRC32C: sum };
    });
  } finally {
    await file.close();
  }
}

/**
 * The bytes stay in the store, and so does the care for them: MinIO refuses parts copied into an upload that promised
 * checksums.
 *
 * @param from bucket and name, encoded for a header
 */
export function copyInParts(
  target: PartsTarget,
  source: CloudObject,
  from: string,
  name: string,
  settings: PartsSettings,
  condition: PartsCondition,
  retry: Retry,
): Promise<string | undefined> {
  const digest = { sizeBytes: source.sizeBytes, crc32c: null };
  return inParts(target, name, digest, settings, condition, retry, async (uploadId, { number, start, end }) => {
    const { CopyPartResult } = await retry(() =>
      faulty(
        target.client.send(
          new UploadPartCopyCommand({
            Bucket: target.bucket,
            Key: name,
            UploadId: uploadId,
            PartNumber: number,
            CopySource: from,
            CopySourceIfMatch: source.generation,
            // One part is the whole object, whatever size was told of it.
            ...(start === 0 && end === source.sizeBytes ? {} : { CopySourceRange: `bytes=${start}-${end - 1}` }),
          }),
        ),
      ),
    );
    return { PartNumber: number, ETag: CopyPartResult?.ETag };
  });
}

/**
 * The last request is sent once: after a lost reply the caller looks whether the object is there, and else begins anew.
 *
 * @source https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html (read 2026-11-21)
 */
async function inParts(
  { client, bucket, partBytes }: PartsTarget,
  name: string,
  digest: { readonly sizeBytes: number; readonly crc32c: string | null },
  settings: PartsSettings,
  condition: PartsCondition,
  retry: Retry,
  sendPart: (uploadId: string, span: Span) => Promise<CompletedPart>,
): Promise<string | undefined> {
  const address = { Bucket: bucket, Key: name };
  // A repeat whose first reply was lost leaves an empty upload behind, which nobody sees.
  const { UploadId } = await retry(() =>
    faulty(
      client.send(
        new CreateMultipartUploadCommand({
          ...address,
          ...settings,
          ...(digest.crc32c === null ? {} : { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' }),
        }),
      ),
    ),
  );
  if (UploadId === undefined) throw new CloudFault('rejected', 'the server began an upload but gave no id for it');
  try {
    const parts: CompletedPart[] = [];
    for (const span of spansOf(digest.sizeBytes, partBytes)) parts.push(await sendPart(UploadId, span));
    const answer = await faulty(
      client.send(
        new CompleteMultipartUploadCommand({
          ...address,
          UploadId,
          MultipartUpload: { Parts: parts },
          MpuObjectSize: digest.sizeBytes,
          ...(digest.crc32c === null ? {} : { ChecksumType: 'FULL_OBJECT', ChecksumCRC32C: digest.crc32c }),
          ...condition,
        }),
      ),
    );
    return answer.ETag;
  } catch (thrown) {
    await client.send(new AbortMultipartUploadCommand({ ...address, UploadId })).catch(() => {});
    if (!(thrown instanceof CloudFault) || thrown.kind !== 'missing') throw thrown;
    if ('IfMatch' in condition) throw new CloudFault('precondition', thrown.message, { cause: thrown });
    throw new CloudFault('transient', `the server forgot the upload: ${thrown.message}`, { cause: thrown });
  }
}

/** Larger parts where there would be too many. */
export function spansOf(sizeBytes: number, partBytes: number): readonly Span[] {
  const needed = Math.ceil(sizeBytes / MAX_PARTS / MIB) * MIB;
  const step = Math.max(partBytes, needed);
  const count = Math.ceil(sizeBytes / step);
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * step,
    end: Math.min(sizeBytes, (index + 1) * step),
  }));
}
