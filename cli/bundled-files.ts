/** Files that the package ships (specs, config) -> copies in a user's project; the package itself is never written to. */
import { existsSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the installed package. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isPackage(folder)) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the folder of the assay package was not found above its own code');
    folder = parent;
  }
  return folder;
}

function isPackage(folder: string): boolean {
  const manifest = join(folder, 'package.json');
  return existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === 'assay';
}

/** Copies one bundled file or folder to the same place in the project; what is there stays. */
export async function copyBundled(path: string, projectRoot: string): Promise<void> {
  await cp(join(packageRoot(), path), join(projectRoot, path), { recursive: true, force: false, errorOnExist: false });
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}
