/** Files that the package ships (specs, config) -> copies in a user's project; the package itself is never written to. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
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

/** Names the code that compiles specs, down to a rebuild of the same version, and the Node that knows its time zones. */
export function buildStamp(): string {
  const stamps = ['../core/', '../dags/'].flatMap((name) => {
    const folder = fileURLToPath(new URL(name, import.meta.url));
    return readdirSync(folder).map((file) => {
      const { size, mtimeMs } = statSync(join(folder, file));
      return `${file} ${size} ${mtimeMs}`;
    });
  });
  return [packageVersion(), process.version, ...stamps.sort()].join('\n');
}
