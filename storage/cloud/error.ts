/** A failed request to a bucket -> the PipelineError that tells retry policy and reader what to do. */
import { PipelineError } from '../../core/errors.ts';
import type { CloudApi } from './api.ts';
import { CloudFault } from './fault.ts';

export type CloudAction = keyof CloudApi['permissions'];

/** A PipelineError stays what it is, and so does a bug. */
export function cloudError(
  thrown: unknown,
  api: Pick<CloudApi, 'root' | 'permissions'>,
  does: CloudAction,
  name: string,
): unknown {
  if (!(thrown instanceof CloudFault)) return thrown;
  const address = `${api.root}${name}`;
  const said = thrown.message.replace(/\.+$/, '');
  const fail = (code: ConstructorParameters<typeof PipelineError>[0], message: string): PipelineError =>
    new PipelineError(code, message, {
      context: { address },
      cause: thrown,
      ...(thrown.retryAfterMs === null ? {} : { retryAfterMs: thrown.retryAfterMs }),
    });
  const cannot = `Cannot ${does} ${address}`;
  switch (thrown.kind) {
    case 'precondition':
      return fail('precondition_failed', `${address} is not as expected: ${said}. Read it again first.`);
    case 'missing':
      return fail(
        'object_not_found',
        `${address} is not in the store: ${said}. It was never written or was removed; ` +
          'clear the task that writes it, or restore the object.',
      );
    case 'missing_bucket':
      return fail(
        'storage_denied',
        `${cannot}: there is no bucket ${api.root}. Create it, or correct lake.bucket (or the bronze address).`,
      );
    case 'denied':
      return fail(
        'storage_denied',
        `${cannot}: ${said}. The account needs ${api.permissions[does]} on ${api.root}; ` +
          'check which credentials are used.',
      );
    case 'setup':
      return fail('storage_denied', `${cannot}: ${said}.`);
    case 'transient':
      return fail('storage_unavailable', `${cannot}: ${said}. The store is in trouble; try again later.`);
    case 'unreachable':
      return fail(
        'storage_unavailable',
        `${cannot}: ${said}. Nobody answers there; check the network, the proxy and the endpoint setting.`,
      );
    case 'corrupt':
      return fail(
        'data_unreadable',
        `${address} is damaged: ${said}. Nothing was deleted; clear the task that writes it, or restore it.`,
      );
    case 'rejected':
      return fail('storage_denied', `${cannot}: the store refuses the request: ${said}.`);
  }
}
