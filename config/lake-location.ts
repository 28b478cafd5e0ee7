/** Settings and a pipeline's name -> where its lake and its bronze lie. */
import { resolve } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { SettingKey } from './setting-keys.ts';
import type { Settings } from './settings.ts';

export type Location =
  | { readonly kind: 'local'; readonly folder: string }
  /** `prefix` is empty or ends with a slash. */
  | { readonly kind: 'gcs' | 's3'; readonly bucket: string; readonly prefix: string };

/**
 * Holds `silver/`, `dims/`, `enriched/`, `gold/`, `quarantine/` of one pipeline.
 *
 * @throws PipelineError `setting_invalid` where the bucket is not set
 */
export function lakeLocation(settings: Settings, pipeline: string): Location {
  const { values, root } = settings;
  if (values.storage === 'local') return { kind: 'local', folder: resolve(root, values['lake.base_path'], pipeline) };
  const bucket = required(settings, 'lake.bucket', `storage is ${values.storage}`);
  return { kind: values.storage, bucket, prefix: `${values['lake.prefix']}${pipeline}/` };
}

/** Holds one folder for each bronze table; `bronze/` of the lake unless it is set. */
export function bronzeLocation(settings: Settings, pipeline: string): Location {
  const set = settings.values['lake.bronze.base_path']?.replaceAll('{pipeline}', pipeline);
  if (set === undefined) {
    const lake = lakeLocation(settings, pipeline);
    if (lake.kind === 'local') return { kind: 'local', folder: resolve(lake.folder, 'bronze') };
    return { ...lake, prefix: `${lake.prefix}bronze/` };
  }
  const address = /^(gs|s3):\/\/([^/]+)\/?(.*)$/.exec(set);
  if (!address) return { kind: 'local', folder: resolve(settings.root, set) };
  const [, scheme, bucket = '', path = ''] = address;
  return { kind: scheme === 'gs' ? 'gcs' : 's3', bucket, prefix: path === '' ? '' : `${path.replace(/\/+$/, '')}/` };
}

/**
 * For whoever is about to run something: better told at once than by each task.
 *
 * @throws PipelineError `setting_invalid` with everything that the environment lacks
 */
export function assertComplete(settings: Settings): void {
  const { storage, 'warehouse.kind': warehouse } = settings.values;
  const faults: string[] = [];
  const check = (look: () => unknown): void => {
    try {
      look();
    } catch (thrown) {
      if (!(thrown instanceof PipelineError)) throw thrown;
      faults.push(thrown.message);
    }
  };
  if (storage !== 'local') check(() => required(settings, 'lake.bucket', `storage is ${storage}`));
  if (warehouse === 'bigquery') {
    check(() => required(settings, 'google.project', 'the warehouse is BigQuery'));
    if (storage !== 'gcs') {
      faults.push(
        `warehouse.kind is bigquery, which loads from Cloud Storage alone, but storage is ${storage}. Set storage: gcs, or warehouse: {kind: duckdb}.`,
      );
    }
  }
  if (faults.length > 0)
    throw new PipelineError('setting_invalid', faults.join('\n'), { context: { environment: settings.environment } });
}

/** A setting without which the environment cannot work. */
export function required(settings: Settings, key: SettingKey, because: string): string {
  const value = settings.values[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new PipelineError(
    'setting_invalid',
    `${key} is not set, but ${because} in the environment ${settings.environment}. ` +
      `Set it for environments.${settings.environment} in config/config.yml, or with --set ${key}=…`,
    { context: { key } },
  );
}
