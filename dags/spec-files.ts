/** The folder specs/ -> the folders that hold a pipeline, and the files of one. Nothing else in dags/ reads specs from disk. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// Without promises: for thousands of small files, waiting for each costs several times what reading it does.

/** All of one spec folder as it lay there at one moment. */
export interface SpecFiles {
  /** Every file below the folder, relative to the root, in order of their paths; hidden ones are left out. */
  readonly names: readonly string[];
  /** Of the YAML, and of the SQL of marts; an error for a file that cannot be read. */
  readonly contents: ReadonlyMap<string, Uint8Array | Error>;
}

/** Folders below `specs/` that hold YAML, relative to the root, sorted. `specs/dags` holds DAGs, not pipelines. */
export function listSpecFolders(root: string): readonly string[] {
  return entriesOf(join(root, 'specs'))
    .filter((entry) => entry.isDirectory && entry.name !== 'dags')
    .map(({ name }) => `specs/${name}`)
    .filter((folder) => holdsYaml(root, folder));
}

export function readSpecFiles(root: string, folder: string): SpecFiles {
  const names = filesBelow(root, folder);
  const contents = new Map<string, Uint8Array | Error>();
  for (const name of names.filter((file) => isYaml(file) || isMart(file, folder))) {
    contents.set(name, contentOf(join(root, name)));
  }
  return { names, contents };
}

export const isYaml = (file: string): boolean => /\.ya?ml$/.test(file);

export const isMart = (file: string, folder: string): boolean =>
  file.startsWith(`${folder}/marts/`) && file.endsWith('.sql');

function contentOf(path: string): Uint8Array | Error {
  try {
    return readFileSync(path);
  } catch (thrown) {
    return thrown as Error;
  }
}

function holdsYaml(root: string, folder: string): boolean {
  const entries = visibleIn(root, folder);
  return (
    entries.some(({ name, isDirectory }) => !isDirectory && isYaml(name)) ||
    entries.some(({ name, isDirectory }) => isDirectory && holdsYaml(root, `${folder}/${name}`))
  );
}

function filesBelow(root: string, folder: string): readonly string[] {
  const found = visibleIn(root, folder).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(root, `${folder}/${name}`) : [`${folder}/${name}`],
  );
  return found.sort();
}

interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
}

function visibleIn(root: string, folder: string): readonly Entry[] {
  return entriesOf(join(root, folder)).filter(({ name }) => !name.startsWith('.') && name !== 'node_modules');
}

function entriesOf(folder: string): readonly Entry[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}
