/** Where the project's own files (specs, config, sources) lie, seen from compiled tests. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (true) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === 'assay')
      return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json of assay above this file');
    folder = parent;
  }
}
