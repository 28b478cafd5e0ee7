/** Attempts -> an empty folder each under the state folder, gone when they are. */
import { mkdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../core/fingerprint.ts';

const root = (stateDir: string): string => join(stateDir, 'tmp');

/** No two attempts of a project have the same; not made yet. */
export function tempFolderOf(stateDir: string, attemptId: string): string {
  return join(root(stateDir), sha256(attemptId).slice(0, 16));
}

export function makeTempFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
}

/** Never fails: what stays is removed by the next start. */
export async function removeTempFolder(folder: string): Promise<void> {
  try {
    // Most attempts leave it empty, and then this is all there is to do.
    rmdirSync(folder);
  } catch {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

/** Removes what killed attempts left; only while none runs. */
export async function removeTempLeftovers(stateDir: string): Promise<void> {
  await rm(root(stateDir), { recursive: true, force: true });
}
