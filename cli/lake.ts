/** Settings and a pipeline -> its lake: objects, bronze, publications. */
import { bronzeFolder, lakeFolder } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import type { BronzeFiles, LakeFiles, ObjectStore } from '../core/ports.ts';
import { createBronzeFiles, createLakeFiles } from '../storage/lake-files.ts';
import { openLocalStore } from '../storage/local-store.ts';
import { openPublications, type Publications } from '../storage/publications.ts';
import { systemClock } from './app.ts';

export interface Lake {
  readonly store: ObjectStore;
  readonly bronzeStore: ObjectStore;
  readonly publications: Publications;
  readonly files: LakeFiles;
  readonly bronzeFiles: BronzeFiles;
}

export function openLake(settings: Settings, pipeline: string): Lake {
  const store = openLocalStore({
    root: lakeFolder(settings, pipeline),
    displayName: shown(settings, lakeFolder(settings, pipeline)),
  });
  const bronze = bronzeFolder(settings, pipeline);
  const bronzeStore = openLocalStore({ root: bronze, displayName: shown(settings, bronze) });
  return {
    store,
    bronzeStore,
    publications: openPublications({ store, pipeline, clock: systemClock }),
    files: createLakeFiles(store),
    bronzeFiles: createBronzeFiles(bronzeStore),
  };
}

/** Relative to the project where it lies in it. */
function shown(settings: Settings, folder: string): string {
  return folder.startsWith(`${settings.root}/`) ? `${folder.slice(settings.root.length + 1)}/` : `${folder}/`;
}
