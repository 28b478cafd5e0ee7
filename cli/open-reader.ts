/** Settings -> the run store as another process may read it while a scheduler writes. */
import { existsSync } from 'node:fs';
import { stateFolder, storeFile } from '../config/project-paths.ts';
import type { Settings } from '../config/settings.ts';
import { RunReader } from '../scheduler/run-reader.ts';
import { RunStore } from '../scheduler/store/run-store.ts';
import { systemClock } from './system-clock.ts';

/** Null before the first run. */
export async function openReader(
  settings: Settings,
): Promise<(AsyncDisposable & { readonly reader: RunReader }) | null> {
  const path = storeFile(settings);
  if (!existsSync(path)) return null;
  const store = await RunStore.open(path, { clock: systemClock, readOnly: true });
  const reader = new RunReader({ store, clock: systemClock, stateDir: stateFolder(settings) });
  return { reader, [Symbol.asyncDispose]: () => store.close() };
}
