/** A transform's code and its part of the spec -> one settled plan: window, keys, parameters and the hash of all that decides its rows. Pure. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import type { TransformSpec } from '../../core/spec.ts';
import type { ColumnSchema, JsonObject, JsonValue } from '../../core/types.ts';
import type { DayWindow, Params, ParamValue, TransformDefinition } from './define-transform.ts';
import { RUN_DATE_COLUMN } from './define-transform.ts';

/** Raised whenever the build itself (dating, reading, rounding) makes other rows of the same inputs. */
const BUILD_VERSION = 1;

export interface ResolvedTransform {
  /** The table. */
  readonly name: string;
  readonly definition: TransformDefinition;
  readonly params: Params;
  readonly window: 'as_of' | DayWindow;
  readonly partitionKey: string;
  readonly primaryKey: readonly string[];
  /** The declared columns and, last, the run date. */
  readonly columns: readonly ColumnSchema[];
  readonly logicFingerprint: string;
}

/**
 * The spec may leave keys out and may widen the window; where it names another partition key or kind of window than the code, one of them is wrong.
 *
 * @param codeHash changes with the text of a user's module; null for a built-in, whose `version` says when it changes
 * @throws PipelineError `transform_invalid`
 */
export function resolveTransform(
  definition: TransformDefinition,
  spec: TransformSpec,
  pipelineParams: JsonObject,
  codeHash: string | null,
): ResolvedTransform {
  const columns: readonly ColumnSchema[] = [...definition.columns, { name: RUN_DATE_COLUMN, type: 'date' }];
  const params = resolveParams(definition, spec, pipelineParams);
  const window = resolveWindow(definition, spec, params);
  const { partitionKey } = definition;
  const primaryKey = spec.primaryKey.length > 0 ? spec.primaryKey : definition.primaryKey;
  assertKeys(definition, spec, window, columns);
  return {
    name: spec.name,
    definition,
    params,
    window,
    partitionKey,
    primaryKey,
    columns,
    logicFingerprint: fingerprint({
      build: BUILD_VERSION,
      transform: definition.name,
      version: definition.version ?? 1,
      codeHash,
      inputs: definition.inputs,
      columns,
      partitionKey,
      primaryKey,
      window,
      params,
    }),
  };
}

function resolveParams(definition: TransformDefinition, spec: TransformSpec, pipelineParams: JsonObject): Params {
  const defaults = definition.params ?? {};
  for (const name of Object.keys(spec.params)) {
    if (name in defaults) continue;
    const near = didYouMean(name, Object.keys(defaults));
    throw invalid(
      spec,
      `has no parameter ${name}${near ? `; did you mean ${near}` : ''}. Known: ${Object.keys(defaults).join(', ') || 'none'}`,
    );
  }
  return Object.fromEntries(
    Object.entries(defaults).map(([name, standard]) => {
      const given = spec.params[name] ?? pipelineParams[name] ?? standard;
      if (!isLike(given, standard)) {
        throw invalid(
          spec,
          `takes ${kindOf(standard)} for the parameter ${name}, but the spec says ${JSON.stringify(given)}`,
        );
      }
      return [name, given];
    }),
  );
}

function isLike(given: JsonValue | ParamValue, standard: ParamValue): given is ParamValue {
  if (typeof standard === 'number') return typeof given === 'number' && Number.isFinite(given);
  if (typeof standard === 'object') {
    return (
      Array.isArray(given) &&
      given.length === standard.length &&
      given.every((one) => typeof one === 'number' && Number.isFinite(one))
    );
  }
  return typeof given === typeof standard;
}

function kindOf(standard: ParamValue): string {
  if (typeof standard === 'object') return `${standard.length} numbers`;
  return typeof standard === 'boolean' ? 'true or false' : `a ${typeof standard}`;
}

function resolveWindow(definition: TransformDefinition, spec: TransformSpec, params: Params): 'as_of' | DayWindow {
  const declared = typeof definition.window === 'function' ? definition.window(params) : definition.window;
  const asked: 'as_of' | DayWindow = spec.window.kind === 'as_of' ? 'as_of' : spec.window;
  if (declared === undefined) return asked === 'as_of' ? asked : { before: asked.before, after: asked.after };
  if (declared === 'as_of' || asked === 'as_of') {
    if (declared === asked) return declared;
    throw invalid(
      spec,
      `is ${declared === 'as_of' ? 'a snapshot (as_of)' : 'built day by day'} in its code, ` +
        `but ${asked === 'as_of' ? 'a snapshot (as_of)' : 'built day by day'} in the spec. Correct its window`,
    );
  }
  return { before: Math.max(declared.before, asked.before), after: Math.max(declared.after, asked.after) };
}

function assertKeys(
  definition: TransformDefinition,
  spec: TransformSpec,
  window: 'as_of' | DayWindow,
  columns: readonly ColumnSchema[],
): void {
  if (spec.partitionKey !== '' && spec.partitionKey !== definition.partitionKey) {
    throw invalid(
      spec,
      `is partitioned by ${definition.partitionKey} in its code, but by ${spec.partitionKey} in the spec`,
    );
  }
  if ((window === 'as_of') !== (definition.partitionKey === RUN_DATE_COLUMN)) {
    throw invalid(
      spec,
      window === 'as_of'
        ? `is a snapshot and must be partitioned by ${RUN_DATE_COLUMN}, not ${definition.partitionKey}`
        : `is partitioned by ${RUN_DATE_COLUMN} and must have the window as_of`,
    );
  }
  const unknown = spec.primaryKey.filter((key) => !columns.some((column) => column.name === key));
  if (unknown.length > 0) {
    throw invalid(
      spec,
      `has no column ${unknown.join(', ')}, which the spec has in the primary key. Columns: ${columns.map((column) => column.name).join(', ')}`,
    );
  }
}

function invalid(spec: TransformSpec, what: string): PipelineError {
  return new PipelineError(
    'transform_invalid',
    `Transform ${spec.name} ${what} (${spec.location.file}:${spec.location.line}).`,
    { context: { transform: spec.name } },
  );
}
