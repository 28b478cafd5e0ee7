/** A spec's implementation -> the definition and, for a user's module, the hash of its text. */
import { readFile } from 'node:fs/promises';
import pl from 'nodejs-polars';
import { asPipelineError, PipelineError } from '../../core/errors.ts';
import { sha256 } from '../../core/fingerprint.ts';
import type { TransformSpec } from '../../core/spec.ts';
import { defineTransform, type TransformDefinition } from './define-transform.ts';
import { loadBuiltin } from './registry.ts';

export interface LoadedTransform {
  readonly definition: TransformDefinition;
  /** Null for a built-in. */
  readonly codeHash: string | null;
}

export type LoadTransform = (implementation: TransformSpec['implementation']) => Promise<LoadedTransform>;

/**
 * @param resolvePath where a module named in a spec lies on this machine
 * @throws PipelineError `transform_invalid` for an unknown built-in, a module that is not there, does not load, or exports no transform
 */
export function createLoadTransform(resolvePath: (path: string) => string): LoadTransform {
  return async (implementation) => {
    switch (implementation.kind) {
      case 'builtin':
        return { definition: await loadBuiltin(implementation.name), codeHash: null };
      case 'file':
        return loadModule(implementation.path, resolvePath(implementation.path));
    }
  };
}

async function loadModule(name: string, path: string): Promise<LoadedTransform> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    throw invalid(name, 'cannot be read. Correct the path under `file:`', thrown);
  });
  const loaded = await importFresh(path).catch((thrown: unknown) => {
    const known = asPipelineError(thrown);
    throw known.code === 'internal' ? invalid(name, `does not load: ${known.message}`, thrown) : known;
  });
  if (!isDefinition(loaded))
    throw invalid(name, 'has no transform as its default export. Write `export default defineTransform({…})`');
  return { definition: defineTransform(loaded), codeHash: sha256(text) };
}

/**
 * Anew each time, because a worker outlives edits; without a cache on disk, because the module's folder is the user's.
 * `assay` and `nodejs-polars` are ours as they are loaded already: a second copy of Polars could not read our frames.
 */
async function importFresh(path: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, {
    moduleCache: false,
    fsCache: false,
    virtualModules: { assay: { defineTransform, PipelineError }, 'nodejs-polars': pl },
  });
  return jiti.import(path, { default: true });
}

function isDefinition(value: unknown): value is TransformDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const has = (key: string, type: string) => typeof (value as Record<string, unknown>)[key] === type;
  return (
    has('name', 'string') &&
    has('inputs', 'object') &&
    has('run', 'function') &&
    has('partitionKey', 'string') &&
    Array.isArray((value as Record<string, unknown>).columns) &&
    Array.isArray((value as Record<string, unknown>).primaryKey)
  );
}

function invalid(module: string, what: string, cause?: unknown): PipelineError {
  return new PipelineError('transform_invalid', `The transform module ${module} ${what}.`, {
    context: { module },
    ...(cause === undefined ? {} : { cause }),
  });
}
