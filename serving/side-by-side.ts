/** Tasks -> their results, so many at once; after a failure none is begun, and those under way end. */

export interface SideBySide<T> {
  /** In the order of their ends. */
  readonly done: readonly T[];
  readonly failures: readonly unknown[];
}

export async function sideBySide<T>(tasks: readonly (() => Promise<T>)[], atOnce: number): Promise<SideBySide<T>> {
  const done: T[] = [];
  const failures: unknown[] = [];
  const left = [...tasks];
  const work = async (): Promise<void> => {
    for (let task = left.shift(); task !== undefined; task = failures.length === 0 ? left.shift() : undefined) {
      try {
        done.push(await task());
      } catch (thrown) {
        failures.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, tasks.length) }, work));
  return { done, failures };
}
