/** A server that speaks S3's API -> the same, or a refusal before anything rests on a condition that it passes over. */
import { PipelineError } from '../../core/errors.ts';
import type { CloudApi, WriteOrder } from '../cloud/api.ts';
import { CloudFault } from '../cloud/fault.ts';
import { crc32cOf } from '../crc32c.ts';

/** Begins with a dot, so it is no key of any store. It stays, for the next process. */
const PROBE = '.conditional-write';
const BODY = Buffer.from('Assay tries here whether the server keeps to the conditions of a write.\n');
/** No MD5 of the body, nor of anything in parts. */
const OTHER_GENERATION = '"00000000000000000000000000000000"';

/**
 * `If-None-Match` and `If-Match` on writes came to S3 late, and servers that do not know them write all the same: two
 * publishers would both win. So before its first write with a condition each process sends two that must be refused.
 * Whether the server looks and writes in one step is not asked.
 *
 * @param prefix of the store
 */
export function provingConditions(api: CloudApi, prefix: string): CloudApi {
  const name = `${prefix}${PROBE}`;
  const keepsAbsent = once(() => proveAbsent(api, name));
  const keepsGeneration = once(() => proveGeneration(api, name));
  const proven = async ({ condition }: WriteOrder): Promise<void> => {
    if (condition === null) return;
    await keepsAbsent();
    await keepsGeneration();
  };
  return {
    ...api,
    put: async (name, body, digest, order) => {
      await proven(order);
      return api.put(name, body, digest, order);
    },
    upload: async (name, localPath, digest, order, retry) => {
      await proven(order);
      return api.upload(name, localPath, digest, order, retry);
    },
    copy: async (source, name, order, retry) => {
      await proven(order);
      return api.copy(source, name, order, retry);
    },
  };
}

/** Done again only where it failed. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return async () => {
    done ??= work();
    try {
      await done;
    } catch (thrown) {
      done = null;
      throw thrown;
    }
  };
}

/** The first write of all may be done: then the object was really absent. */
async function proveAbsent(api: CloudApi, name: string): Promise<void> {
  if ((await isDone(api, name, 'absent')) && (await isDone(api, name, 'absent')))
    throw unsafe(api, name, 'If-None-Match: *');
}

async function proveGeneration(api: CloudApi, name: string): Promise<void> {
  if (await isDone(api, name, { generation: OTHER_GENERATION })) throw unsafe(api, name, 'If-Match');
}

async function isDone(api: CloudApi, name: string, condition: WriteOrder['condition']): Promise<boolean> {
  try {
    await api.put(name, BODY, { sizeBytes: BODY.byteLength, crc32c: crc32cOf(BODY) }, { condition, writeId: PROBE });
    return true;
  } catch (thrown) {
    if (thrown instanceof CloudFault && thrown.kind === 'precondition') return false;
    throw thrown;
  }
}

function unsafe(api: CloudApi, name: string, header: string): PipelineError {
  return new PipelineError(
    'storage_denied',
    `The server of ${api.root} wrote ${name} although the request said ${header}, which does not hold: it does not know ` +
      'conditional writes, and two publishers at once would overwrite each other. Nothing was published. Use ' +
      'another server or a newer version of this one (docs/how-to/test-against-the-cloud.md names some); for Cloud ' +
      'Storage set a gs:// bucket, not its S3 endpoint.',
    { context: { address: `${api.root}${name}`, header } },
  );
}
