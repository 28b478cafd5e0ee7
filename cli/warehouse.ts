/** Settings and a pipeline's lake -> how its warehouse is opened for one task. Engines and clients load when it is. */
import { resolve } from 'node:path';
import { assertComplete, required } from '../config/lake-location.ts';
import { warehouseFile } from '../config/project-paths.ts';
import { parseSize } from '../config/setting-keys.ts';
import type { Settings } from '../config/settings.ts';
import type { OpenWarehouse } from '../core/ports.ts';
import type { Lake } from './lake.ts';
import { useProxy } from './network.ts';
import { connected } from './sandbox-connection.ts';
import { systemClock } from './system-clock.ts';

/** @throws PipelineError `setting_invalid` where the environment lacks a setting */
export function warehouseOpener(
  settings: Settings,
  pipeline: string,
  lake: Lake,
  options: { readonly lockWaitMs?: number } = {},
): OpenWarehouse {
  switch (settings.values['warehouse.kind']) {
    case 'duckdb':
      return duckDbOpener(settings, lake, options);
    case 'bigquery':
      return bigQueryOpener(settings, pipeline, lake);
  }
}

function duckDbOpener(settings: Settings, lake: Lake, options: { readonly lockWaitMs?: number }): OpenWarehouse {
  return async ({ signal }) => {
    const { openDuckDbWarehouse } = await import('../serving/duckdb/warehouse.ts');
    return openDuckDbWarehouse({
      path: warehouseFile(settings),
      lake: lake.files,
      memoryLimit: settings.values['engine.duckdb.memory_limit'],
      threads: settings.values['engine.threads'],
      signal,
      ...options,
    });
  };
}

function bigQueryOpener(settings: Settings, pipeline: string, lake: Lake): OpenWarehouse {
  const { root, environment } = settings;
  assertComplete(settings);
  const projectId = required(settings, 'google.project', 'the warehouse is BigQuery');
  return async (use) => {
    const { values } = await connected(settings);
    useProxy(settings);
    const maximum = values['bigquery.maximum_bytes_billed'];
    const { openBigQueryWarehouse } = await import('../serving/bigquery/warehouse.ts');
    return openBigQueryWarehouse({
      projectId,
      keyFile: values['google.key_file'] === null ? null : resolve(root, values['google.key_file']),
      endpoint: values['bigquery.endpoint'],
      location: values['bigquery.location'],
      dataset: (layer) => values['bigquery.dataset'].replaceAll('{pipeline}', pipeline).replaceAll('{layer}', layer),
      environment,
      lake: lake.files,
      store: lake.store,
      maximumBytesBilled: maximum === null ? null : parseSize(maximum),
      reservation: values['bigquery.reservation'],
      swap: values['bigquery.swap'],
      pricePerTib: values['bigquery.price_per_tib'],
      parallelJobs: values['bigquery.parallel_jobs'],
      clock: systemClock,
      use,
    });
  };
}
