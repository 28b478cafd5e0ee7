/** Settings and a pipeline's name -> the absolute folders and files that a project uses, and what handlers need of the settings. */
import { resolve } from 'node:path';
import type { GateSettings } from '../core/ports.ts';
import type { Spec } from '../core/spec.ts';
import type { Task, TaskDefaults } from '../core/types.ts';
import type { Settings } from './settings.ts';

const landingFolder = (settings: Settings, pipeline: string): string =>
  resolve(settings.root, named(settings.values['landing.base_path'], pipeline));

/** Where a pipeline's landing files lie, by their path in the spec. */
export const landingFiles = (settings: Settings, pipeline: string): { path(relative: string): string } => ({
  path: (relative) => resolve(landingFolder(settings, pipeline), relative),
});

/** Run store, logs, temporary files, lock. */
export const stateFolder = (settings: Settings): string => resolve(settings.root, settings.values['state.path']);

export const storeFile = (settings: Settings): string => resolve(stateFolder(settings), 'runs.db');

export const warehouseFile = (settings: Settings): string => resolve(settings.root, settings.values['warehouse.path']);

/**
 * `reports.path` where that is set; else as the spec says, with a folder in it for each environment but `local`: a rehearsal must not
 * write over the reports of what it rehearses, nor be compared with them.
 */
export function reportFolder(
  { root, environment, values }: Settings,
  { pipeline, reportDir }: Pick<Spec, 'pipeline' | 'reportDir'>,
): string {
  const path = values['reports.path'];
  if (path !== null) return resolve(root, named(path, pipeline));
  return resolve(root, reportDir, environment === 'local' ? '' : environment);
}

export function gateSettings({ values }: Settings): GateSettings {
  return {
    mode: {
      bronze: values['gates.bronze'],
      silver: values['gates.silver'],
      dims: values['gates.dims'],
      enriched: values['gates.enriched'],
      gold: values['gates.gold'],
    },
    onFail: values['gates.on_fail'],
    strictForeignKeys: values.strict_foreign_keys,
  };
}

/** Whether the setting that a `short_circuit` task names lets pass what follows it. */
export const isSwitchedOn = ({ values }: Settings, { params }: Pick<Task, 'params'>): boolean =>
  values[String(params.setting) as keyof typeof values] === true;

export function taskDefaults({ values }: Settings): TaskDefaults {
  return {
    retry: {
      retries: values['retries.count'],
      delayMs: values['retries.delay_seconds'] * 1_000,
      exponentialBackoff: values['retries.exponential_backoff'],
      maxDelayMs: values['retries.max_delay_seconds'] * 1_000,
    },
    timeoutMs: values['task.timeout_seconds'] * 1_000,
  };
}

const named = (path: string, pipeline: string): string => path.replaceAll('{pipeline}', pipeline);
