/** A spec folder -> its Spec and Dags: those of the last compilation where nothing that went into it has changed, else compiled anew. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { canonicalJson, sha256 } from '../core/fingerprint.ts';
import type { Dag } from '../core/types.ts';
import type { Environment } from './expand-variables.ts';
import type { ReadSpec, ReadSpecOptions } from './read-specs.ts';
import { readSpecFiles, type SpecFiles } from './spec-files.ts';

export interface CompiledSpec extends ReadSpec {
  readonly dags: readonly Dag[];
}

export interface CompileSpecOptions extends Omit<ReadSpecOptions, 'files'> {
  /** Names the code that compiles: with another one, nothing that is kept counts. */
  readonly build: string;
  /** Where the last compilation is kept, if the folder above its own exists. */
  readonly cacheFile: string;
}

/** What is in the cache file, below a line with the checksum of its text and of the build. */
interface Kept {
  /** Of all that went into it. */
  readonly key: string;
  /** Variables that its texts asked for. */
  readonly variables: readonly string[];
  readonly compiled: CompiledSpec;
}

/**
 * The same value as `readSpec` and `compileDags` give, or the same error: a spec with faults is never kept. A cache file that
 * is torn, of another build, or made from other files or variables is written anew; one that cannot be written is done without.
 *
 * @throws SpecError, CycleError
 */
export async function compileSpec(options: CompileSpecOptions): Promise<CompiledSpec> {
  const files = await readSpecFiles(options.root, options.folder);
  const kept = await readKept(options);
  if (kept && kept.key === keyOf(options, files, kept.variables) && (await hasModules(options.root, kept.compiled))) {
    return kept.compiled;
  }
  const [{ readSpec }, { compileDags }] = await Promise.all([import('./read-specs.ts'), import('./compile-dag.ts')]);
  const asked = new Set<string>();
  const { spec, issues } = await readSpec({ ...options, files, env: recorded(options.env, asked) });
  const compiled = { spec, issues, dags: compileDags(spec) };
  const variables = [...asked].sort();
  await keep(options, { key: keyOf(options, files, variables), variables, compiled });
  return compiled;
}

function keyOf(options: CompileSpecOptions, files: SpecFiles, variables: readonly string[]): string {
  const { folder, environment, env } = options;
  const contents = [...files.contents].map(([name, bytes]) => [name, bytes instanceof Error ? null : sha256(bytes)]);
  const values = variables.map((name) => [name, env[name] ?? null]);
  return sha256(canonicalJson([folder, environment, files.names, contents, values]));
}

function recorded(env: Environment, asked: Set<string>): Environment {
  return new Proxy(env, {
    get: (target, name) => {
      if (typeof name !== 'string') return undefined;
      asked.add(name);
      return target[name];
    },
  });
}

/** Modules of transforms may lie outside the folder; a spec whose module is gone has a fault to be told. */
async function hasModules(root: string, { spec }: CompiledSpec): Promise<boolean> {
  for (const { implementation } of spec.transforms) {
    if (implementation.kind !== 'file') continue;
    const isThere = await access(join(root, implementation.path)).then(
      () => true,
      () => false,
    );
    if (!isThere) return false;
  }
  return true;
}

async function readKept({ cacheFile, build }: CompileSpecOptions): Promise<Kept | null> {
  const text = await readFile(cacheFile, 'utf8').catch(() => '');
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  return end > 0 && text.slice(0, end) === sealOf(body, build) ? (JSON.parse(body) as Kept) : null;
}

/** Of two who write at once the later one stands, whole. */
async function keep({ cacheFile, build }: CompileSpecOptions, kept: Kept): Promise<void> {
  const body = JSON.stringify(kept);
  // What JSON cannot carry would come back changed.
  if (!isDeepStrictEqual(JSON.parse(body), kept)) return;
  const draft = `${cacheFile}.${randomUUID()}`;
  try {
    const text = `${sealOf(body, build)}\n${body}`;
    await writeFile(draft, text).catch(async () => {
      await mkdir(dirname(cacheFile)).catch(() => {});
      await writeFile(draft, text);
    });
    await rename(draft, cacheFile);
  } catch {
    // It only saves time: a folder that is read-only or full costs that, and nothing else.
    await rm(draft, { force: true }).catch(() => {});
  }
}

const sealOf = (body: string, build: string): string => sha256(`${build}\n${body}`);
