/** The name of an outside program -> its command, installed from its registry into a folder outside the project. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PipelineError } from '../../core/errors.ts';
import { withFileLock } from '../../storage/local/file-lock.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

const run = promisify(execFile);

export interface CloudProgram {
  /** With its version, as skips name it. */
  readonly title: string;
  readonly needs: 'go' | 'python3';
  /** Installs into the folder, which is empty. */
  install(folder: string): Promise<void>;
}

/** Not the PyPI wheel, whose build ignores preconditions on resumable uploads. */
export const FAKE_GCS_SERVER: CloudProgram = {
  title: 'fake-gcs-server 1.55.1',
  needs: 'go',
  install: async (folder) => {
    const env = { ...process.env, GOBIN: join(folder, 'bin'), CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
    await run('go', ['install', '-ldflags', '-s -w', 'github.com/fsouza/fake-gcs-server@v1.55.1'], { env });
  },
};

export const MOTO: CloudProgram = {
  title: 'moto 5.2.5',
  needs: 'python3',
  install: (folder) => installWheels(folder, ['moto[server]==5.2.5'], 'moto-constraints.txt'),
};

const DUCKDB = '1.5.5';

/**
 * Alone it takes a DuckDB for which its spatial extension is in no wheel, and then ends as it starts; with this one the
 * extension's file is laid where DuckDB looks for it.
 */
export const BQEMULATOR: CloudProgram = {
  title: 'bqemulator 1.4.0',
  needs: 'python3',
  install: async (folder) => {
    const wheels = ['bqemulator==1.4.0', `duckdb==${DUCKDB}`, `duckdb-extension-spatial==${DUCKDB}`, 'numpy==2.3.5'];
    await installWheels(folder, wheels, 'bqemulator-constraints.txt');
    const python = readdirSync(join(folder, 'lib')).find((name) => name.startsWith('python3')) ?? 'python3';
    const extension = `extensions/v${DUCKDB}`;
    const from = join(folder, 'lib', python, 'site-packages/duckdb_extension_spatial', extension);
    const to = join(folder, 'home/.duckdb', extension, duckdbPlatform());
    await mkdir(to, { recursive: true });
    await link(join(from, 'spatial.duckdb_extension'), join(to, 'spatial.duckdb_extension'));
  },
};

const duckdbPlatform = (): string =>
  `${process.platform === 'darwin' ? 'osx' : process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`;

/** The constraints are a `pip freeze`: without them a later release of any of some seventy packages breaks the tests. */
async function installWheels(folder: string, wheels: readonly string[], constraints: string): Promise<void> {
  await run('python3', ['-m', 'venv', folder]);
  const pip = join(folder, 'bin/pip');
  await run(pip, ['install', '--quiet', '--disable-pip-version-check', '-c', cloudFile(constraints), ...wheels]);
}

const cloudFile = (name: string): string => join(packageRoot(), 'test/cloud', name);

/** Gives the folder, or why the program cannot be had here. With `CI=true` that is a failure. */
export async function installed(
  program: CloudProgram,
): Promise<{ readonly folder: string } | { readonly skip: string }> {
  const cache = process.env.ASSAY_CLOUD_CACHE ?? join(homedir(), '.cache/assay-test-cloud');
  const folder = join(cache, program.title.replace(' ', '-'));
  const stamp = stampOf(program);
  if (await isInstalled(folder, stamp)) return { folder };
  const missing = await run(program.needs, [program.needs === 'go' ? 'version' : '--version']).then(
    () => null,
    () => `${program.title} is not installed, and ${program.needs} is not there to install it`,
  );
  if (missing !== null) {
    if (process.env.CI === 'true') throw new Error(missing);
    return { skip: missing };
  }
  await mkdir(cache, { recursive: true });
  await alone(`${folder}.lock`, async () => {
    if (await isInstalled(folder, stamp)) return;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    await program.install(folder);
    await writeFile(join(folder, 'installed'), stamp);
  });
  return { folder };
}

/** What was asked for; another list of versions is another installation. */
function stampOf(program: CloudProgram): string {
  if (program.needs === 'go') return program.title;
  return readFileSync(cloudFile(`${program.title.split(' ')[0] ?? ''}-constraints.txt`), 'utf8');
}

async function isInstalled(folder: string, stamp: string): Promise<boolean> {
  return (await readFile(join(folder, 'installed'), 'utf8').catch(() => null)) === stamp;
}

/** Test files run side by side; an installation takes longer than one wait for a lock. */
async function alone(path: string, work: () => Promise<void>): Promise<void> {
  for (let waits = 1; ; waits += 1) {
    try {
      return await withFileLock(path, work);
    } catch (thrown) {
      if (!(thrown instanceof PipelineError) || thrown.code !== 'storage_unavailable' || waits === 40) throw thrown;
    }
  }
}
