/** S3's API -> single requests. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { CloudApi, CloudObject, WriteOrder } from '../cloud/api.ts';
import { copyFault } from '../cloud/copy-fault.ts';
import { CloudFault } from '../cloud/fault.ts';
import { crc32cOf } from '../crc32c.ts';
import { faulty, isNotFound, s3Fault } from './fault.ts';
import { copyInParts, type PartsCondition, type PartsSettings, uploadInParts } from './multipart.ts';

export interface S3Sizes {
  /** Larger files go in parts of this size, which Amazon wants to be 5 MiB at least. */
  readonly partBytes: number;
  /** Amazon copies up to 5 GiB in one request. */
  readonly copyBytes: number;
}

const SIZES: S3Sizes = { partBytes: 8 * 1024 * 1024, copyBytes: 5 * 1024 ** 3 };
const WRITE_ID = 'assay-write-id';
const CRC32C = 'assay-crc32c';
const EMPTY = new Uint8Array();
const EMPTY_DIGEST = { sizeBytes: 0, crc32c: crc32cOf(EMPTY) };

/** @source https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html (read 2026-11-21) */
export function openS3Api(client: S3Client, bucket: string, sizes: Partial<S3Sizes> = {}): CloudApi {
  const { partBytes, copyBytes } = { ...SIZES, ...sizes };
  const target = { client, bucket, partBytes };

  /** Answers to writes say neither when nor what was stored; the object itself does. */
  async function written(name: string, etag: string | undefined): Promise<CloudObject> {
    const generation = told(etag, 'the ETag of what it wrote');
    const found = await api.head(name);
    if (found === null) throw new CloudFault('transient', 'it was deleted as soon as it was written');
    return { ...found, generation };
  }

  const api: CloudApi = {
    root: `s3://${bucket}/`,
    permissions: {
      read: 's3:GetObject (and s3:ListBucket, without which a missing object looks forbidden)',
      list: 's3:ListBucket',
      write: 's3:PutObject and s3:GetObject',
      delete: 's3:DeleteObject and s3:GetObject',
    },
    oneRequestBytes: partBytes,

    head: async (name) => {
      try {
        const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: name, ChecksumMode: 'ENABLED' }));
        return {
          name,
          sizeBytes: told(found.ContentLength, 'the size of an object'),
          generation: told(found.ETag, 'the ETag of an object'),
          writtenAtMs: wholeSecondOf(found.LastModified),
          crc32c: checksumOf(found),
          writeId: found.Metadata?.[WRITE_ID] ?? null,
        };
      } catch (thrown) {
        if (isNotFound(thrown)) return null;
        throw s3Fault(thrown);
      }
    },

    read: async (name, part) => {
      try {
        const found = await client.send(
          new GetObjectCommand({
            Bucket: bucket,
            Key: name,
            ChecksumMode: 'ENABLED',
            ...(part === null ? {} : { Range: `bytes=${part.start}-${part.end - 1}` }),
            ...(part === null || part.generation === null ? {} : { IfMatch: part.generation }),
          }),
        );
        const body = (await found.Body?.transformToByteArray()) ?? new Uint8Array();
        const generation = told(found.ETag, 'the ETag of an object');
        if (part === null) return { body, generation, crc32c: checksumOf(found) };
        return part.generation === null || generation === part.generation ? { body, generation, crc32c: null } : null;
      } catch (thrown) {
        const fault = s3Fault(thrown);
        const isGone = fault instanceof CloudFault && fault.kind === 'precondition';
        if (isNotFound(thrown) || (part !== null && isGone)) return null;
        throw fault;
      }
    },

    put: async (name, body, digest, order) => {
      const { ETag } = await conditional(order, () =>
        client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: name,
            Body: body,
            ChecksumCRC32C: digest.crc32c,
            ...settingsOf(name, digest.crc32c, order),
            ...conditionOf(order),
          }),
        ),
      );
      return written(name, ETag);
    },

    upload: async (name, localPath, digest, order, retry) => {
      const settings = settingsOf(name, digest.crc32c, order);
      return written(name, await uploadInParts(target, name, localPath, digest, settings, conditionOf(order), retry));
    },

    copy: async (source, name, order, retry) => {
      // A condition on CopyObject is passed over by MinIO, versitygw and moto; on what ends an upload they keep it.
      const isInParts = source.sizeBytes > copyBytes || order.condition !== null;
      if (isInParts && source.sizeBytes === 0) return api.put(name, EMPTY, EMPTY_DIGEST, order);
      const settings = settingsOf(name, source.crc32c, order);
      const from = `${bucket}/${source.name.split('/').map(encodeURIComponent).join('/')}`;
      try {
        if (isInParts) {
          const parts = { ...target, partBytes: copyBytes };
          return await written(name, await copyInParts(parts, source, from, name, settings, conditionOf(order), retry));
        }
        const { CopyObjectResult } = await faulty(
          client.send(
            new CopyObjectCommand({
              Bucket: bucket,
              Key: name,
              CopySource: from,
              CopySourceIfMatch: source.generation,
              MetadataDirective: 'REPLACE',
              ...settings,
            }),
          ),
        );
        return await written(name, CopyObjectResult?.ETag);
      } catch (thrown) {
        throw await copyFault(api, source, thrown);
      }
    },

    list: async (prefix, pageToken, limit) => {
      const page = await faulty(
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix,
            MaxKeys: limit,
            ...(pageToken === null ? {} : { ContinuationToken: pageToken }),
          }),
        ),
      );
      const objects = (page.Contents ?? []).map(
        (item): CloudObject => ({
          name: item.Key ?? '',
          sizeBytes: item.Size ?? 0,
          generation: item.ETag ?? '',
          writtenAtMs: wholeSecondOf(item.LastModified),
          crc32c: null,
          writeId: null,
        }),
      );
      const goesOn = told(page.IsTruncated, 'whether the listing goes on');
      return { objects, next: goesOn ? told(page.NextContinuationToken, 'where the listing goes on') : null };
    },

    remove: async (name, generation) => {
      try {
        const { $metadata } = await client.send(
          new DeleteObjectCommand({ Bucket: bucket, Key: name, IfMatch: generation }),
        );
        // S3 says 204; with anything else it may not have been the one that answered.
        if ($metadata.httpStatusCode === 204) return;
      } catch (thrown) {
        if (!isNotFound(thrown)) throw s3Fault(thrown);
      }
      if ((await api.head(name))?.generation !== generation) return;
      throw new CloudFault('transient', 'the server answered and deleted nothing');
    },
  };

  return api;
}

/** Two writers at once, of whom S3 tells one to look again (409), and a generation that is gone (404), are a lost race. */
async function conditional<T>(order: WriteOrder, request: () => Promise<T>): Promise<T> {
  try {
    return await faulty(request());
  } catch (thrown) {
    if (!(thrown instanceof CloudFault) || thrown.kind !== 'missing' || typeof order.condition !== 'object')
      throw thrown;
    throw new CloudFault('precondition', thrown.message, { cause: thrown });
  }
}

/** What every answer has; without it something other than S3 answered, or not the whole of an answer came. */
function told<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new CloudFault('transient', `the server does not say ${what}`);
}

/** As an HTTP date has it; MinIO's listings say more, and then an object would seem younger than it told itself. */
const wholeSecondOf = (date: Date | undefined): number => Math.floor((date?.getTime() ?? Number.NaN) / 1000) * 1000;

const conditionOf = ({ condition }: WriteOrder): PartsCondition => {
  if (condition === null) return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.generation };
};

const settingsOf = (name: string, crc32c: string | null, order: WriteOrder): PartsSettings => ({
  ContentType: name.endsWith('.json') ? 'application/json' : 'application/octet-stream',
  Metadata: { [WRITE_ID]: order.writeId, ...(crc32c === null ? {} : { [CRC32C]: crc32c }) },
});

/**
 * The server's own where it is of the bytes; an object in parts may have only one of its parts' checksums (some servers
 * do not say so), and then what its writer left with it counts. Null where neither is there.
 */
function checksumOf(found: HeadObjectCommandOutput | GetObjectCommandOutput): string | null {
  const isInParts = /-\d+"?$/.test(found.ETag ?? '');
  const left = found.Metadata?.[CRC32C] ?? null;
  if (!isInParts) return found.ChecksumCRC32C ?? left;
  return left ?? (found.ChecksumType === 'FULL_OBJECT' ? (found.ChecksumCRC32C ?? null) : null);
}
