/** Items and work that waits -> results, so many at a time. */

/** Results in the order of the items; the first fault ends it once the calls under way are done. */
export async function mapParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const pending = items.entries();
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of pending) {
      if (hasFailed) return;
      try {
        results.set(index, await work(item));
      } catch (thrown) {
        hasFailed = true;
        throw thrown;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result);
}
