/** Settings and a pipeline -> its lake: objects, bronze, publications. Clients of clouds load only where one is used. */
import { resolve } from 'node:path';
import { bronzeLocation, type Location, lakeLocation } from '../config/lake-location.ts';
import { graceMs } from '../config/retention.ts';
import { parseSize } from '../config/setting-keys.ts';
import type { Settings } from '../config/settings.ts';
import type { BronzeFiles, LakeObjects, ObjectStore } from '../core/ports.ts';
import { createBronzeFiles, createLakeFiles } from '../storage/lake-files.ts';
import { openLocalStore } from '../storage/local/store.ts';
import { openPublications, type Publications } from '../storage/publications.ts';
import { useProxy } from './network.ts';
import { connected } from './sandbox-connection.ts';
import { systemClock } from './system-clock.ts';

export interface Lake {
  readonly store: ObjectStore;
  readonly bronzeStore: ObjectStore;
  readonly publications: Publications;
  readonly files: LakeObjects;
  readonly bronzeFiles: BronzeFiles;
}

/** @throws PipelineError `setting_invalid` where the environment lacks a setting */
export async function openLake(given: Settings, pipeline: string): Promise<Lake> {
  const settings = await connected(given);
  const store = await openStore(settings, lakeLocation(settings, pipeline));
  const bronzeStore = await openStore(settings, bronzeLocation(settings, pipeline));
  return {
    store,
    bronzeStore,
    publications: openPublications({
      store,
      pipeline,
      clock: systemClock,
      mirror: settings.values['publish.mirror'],
      graceMs: graceMs(settings),
    }),
    files: createLakeFiles(store),
    bronzeFiles: createBronzeFiles(bronzeStore),
  };
}

export async function openStore(settings: Settings, location: Location): Promise<ObjectStore> {
  const { values, root } = settings;
  switch (location.kind) {
    case 'local':
      return openLocalStore({ root: location.folder, displayName: shown(settings, location.folder) });
    case 'gcs': {
      const { openGcsStore } = await import('../storage/gcs/store.ts');
      return openGcsStore({
        bucket: location.bucket,
        prefix: location.prefix,
        cache: cacheOf(settings),
        projectId: values['google.project'],
        keyFile: values['google.key_file'] === null ? null : resolve(root, values['google.key_file']),
        endpoint: values['gcs.endpoint'],
        proxy: useProxy(settings),
      });
    }
    case 's3': {
      const { openS3Store } = await import('../storage/s3/store.ts');
      return openS3Store({
        bucket: location.bucket,
        prefix: location.prefix,
        cache: cacheOf(settings),
        endpoint: values['s3.endpoint'],
        proxy: useProxy(settings),
        region: values['s3.region'],
        forcePathStyle: values['s3.force_path_style'],
      });
    }
  }
}

const cacheOf = ({ root, values }: Settings) => ({
  folder: resolve(root, values['cache.path']),
  maxBytes: parseSize(values['cache.max_size']),
});

/** Relative to the project where it lies in it. */
function shown(settings: Settings, folder: string): string {
  return folder.startsWith(`${settings.root}/`) ? `${folder.slice(settings.root.length + 1)}/` : `${folder}/`;
}
