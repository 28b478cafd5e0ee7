/** A copy that failed -> what it is about: a condition on where it goes, or a source that was replaced meanwhile. */
import type { CloudApi } from './api.ts';
import { CloudFault } from './fault.ts';

/** Servers answer both with the same status, so the source is looked at again. */
export async function copyFault(
  api: Pick<CloudApi, 'head'>,
  source: { readonly name: string; readonly generation: string },
  thrown: unknown,
): Promise<unknown> {
  const mayBeSource = thrown instanceof CloudFault && (thrown.kind === 'precondition' || thrown.kind === 'missing');
  if (!mayBeSource || (await api.head(source.name))?.generation === source.generation) return thrown;
  return new CloudFault('transient', `${source.name} was replaced while it was copied`, { cause: thrown });
}
