/** A spec folder -> its Spec and Dags: those of the last compilation where nothing that went into it has changed, else compiled anew. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  /** Of a process that compiles again and again: what it compiled last, so that only what was edited is read from the cache file. */
  readonly memory?: SpecMemory;
}

/** By cache file. */
export type SpecMemory = Map<string, Kept>;

/** What is in the cache file, below a line with the checksum of its text and of the build. */
export interface Kept {
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
  const { root, env, cacheFile, memory } = options;
  const files = readSpecFiles(root, options.folder);
  const isCurrent = ({ key, variables, compiled }: Kept): boolean =>
    key === keyOf(options, files, variables) && hasModules(root, compiled);
  const remembered = memory?.get(cacheFile);
  if (remembered && isCurrent(remembered)) return remembered.compiled;
  const stored = readKept(options);
  if (stored && isCurrent(stored)) {
    memory?.set(cacheFile, stored);
    return stored.compiled;
  }
  const [{ readSpec }, { compileDags }] = await Promise.all([import('./read-specs.ts'), import('./compile-dag.ts')]);
  const asked = new Set<string>();
  const { spec, issues } = readSpec({ ...options, files, env: recorded(env, asked) });
  const variables = [...asked].sort();
  const fresh = {
    key: keyOf(options, files, variables),
    variables,
    compiled: { spec, issues, dags: compileDags(spec) },
  };
  memory?.set(cacheFile, fresh);
  keep(options, fresh);
  return fresh.compiled;
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
function hasModules(root: string, { spec }: CompiledSpec): boolean {
  return spec.transforms.every(
    ({ implementation }) => implementation.kind !== 'file' || existsSync(join(root, implementation.path)),
  );
}

function readKept({ cacheFile, build }: CompileSpecOptions): Kept | null {
  let text: string;
  try {
    text = readFileSync(cacheFile, 'utf8');
  } catch {
    return null;
  }
  const end = text.indexOf('\n');
  const body = text.slice(end + 1);
  return end > 0 && text.slice(0, end) === sealOf(body, build) ? (JSON.parse(body) as Kept) : null;
}

/** Of two who write at once the later one stands, whole. */
function keep({ cacheFile, build }: CompileSpecOptions, kept: Kept): void {
  const body = JSON.stringify(kept);
  // What JSON cannot carry would come back changed.
  if (!isDeepStrictEqual(JSON.parse(body), kept)) return;
  const text = `${sealOf(body, build)}\n${body}`;
  const draft = `${cacheFile}.${randomUUID()}`;
  try {
    if (!existsSync(dirname(cacheFile))) mkdirSync(dirname(cacheFile));
    writeFileSync(draft, text);
    renameSync(draft, cacheFile);
  } catch {
    // It only saves time: a folder that is read-only or full costs that, and nothing else.
    if (existsSync(draft)) rmSync(draft);
  }
}

const sealOf = (body: string, build: string): string => sha256(`${build}\n${body}`);
