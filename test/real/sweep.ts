/** An account -> everything that a run of the suites may have left in it is gone. */
import { tmpdir } from 'node:os';
import { lakeStore, removeDatasets, removeObjects } from '../cloud/bigquery-place.ts';
import type { RealAccount } from './account.ts';

export interface Swept {
  readonly datasets: readonly string[];
  readonly objects: number;
}

/**
 * Of this run alone. Each test removes what it made; what is found here is of one that was killed, whose last requests may
 * still be on their way: it looks again until nothing is there.
 */
export async function sweep(account: RealAccount): Promise<Swept> {
  const datasets: string[] = [];
  let objects = 0;
  for (;;) {
    const someDatasets = await removeDatasets(account, account.datasets);
    const someObjects = await removeObjects(lakeStore(account, account.prefix, tmpdir()));
    if (someDatasets.length + someObjects === 0) return { datasets, objects };
    datasets.push(...someDatasets);
    objects += someObjects;
  }
}
