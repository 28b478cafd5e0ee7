/** The folder specs/ -> the folders that hold a pipeline, and the files of one. Nothing else in dags/ reads specs from disk. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** All of one spec folder as it lay there at one moment. */
export interface SpecFiles {
  /** Every file below the folder, relative to the root, in order of their paths; hidden ones are left out. */
  readonly names: readonly string[];
  /** Of the YAML, and of the SQL of marts; an error for a file that cannot be read. */
  readonly contents: ReadonlyMap<string, Uint8Array | Error>;
}

/** Folders below `specs/` that hold YAML, relative to the root, sorted. `specs/dags` holds DAGs, not pipelines. */
export async function listSpecFolders(root: string): Promise<readonly string[]> {
  const folders = (await entriesOf(join(root, 'specs'))).filter((entry) => entry.isDirectory && entry.name !== 'dags');
  const found: string[] = [];
  for (const { name } of folders) {
    if (await holdsYaml(root, `specs/${name}`)) found.push(`specs/${name}`);
  }
  return found;
}

export async function readSpecFiles(root: string, folder: string): Promise<SpecFiles> {
  const names = await filesBelow(root, folder);
  const contents = new Map<string, Uint8Array | Error>();
  for (const name of names.filter((file) => isYaml(file) || isMart(file, folder))) {
    contents.set(name, await readFile(join(root, name)).catch((thrown: Error) => thrown));
  }
  return { names, contents };
}

export const isYaml = (file: string): boolean => /\.ya?ml$/.test(file);

export const isMart = (file: string, folder: string): boolean =>
  file.startsWith(`${folder}/marts/`) && file.endsWith('.sql');

async function holdsYaml(root: string, folder: string): Promise<boolean> {
  const entries = await visibleIn(root, folder);
  if (entries.some(({ name, isDirectory }) => !isDirectory && isYaml(name))) return true;
  for (const { name, isDirectory } of entries) {
    if (isDirectory && (await holdsYaml(root, `${folder}/${name}`))) return true;
  }
  return false;
}

async function filesBelow(root: string, folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, isDirectory } of await visibleIn(root, folder)) {
    if (isDirectory) found.push(...(await filesBelow(root, `${folder}/${name}`)));
    else found.push(`${folder}/${name}`);
  }
  return found.sort();
}

interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
}

async function visibleIn(root: string, folder: string): Promise<readonly Entry[]> {
  const entries = await entriesOf(join(root, folder));
  return entries.filter(({ name }) => !name.startsWith('.') && name !== 'node_modules');
}

async function entriesOf(folder: string): Promise<readonly Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}
