/** Enriched silver: what computes each table, from which inputs, with which keys and checks. */
import { didYouMean } from '../core/did-you-mean.ts';
import type { TransformSpec } from '../core/spec.ts';
import { BUILTIN_TRANSFORMS, type BuiltinTransform, builtinName } from './builtin-transforms.ts';
import { checkChecks } from './check-checks.ts';
import { type CheckContext, reportMissing, valueAt } from './check-context.ts';
import { reportCycle, reportUnknownTable } from './check-names.ts';
import { checkWarehouse } from './check-warehouse.ts';
import { findCycle } from './graph.ts';
import { meant } from './issue-log.ts';
import { namesOf } from './layer-tables.ts';
import type { TreePath } from './yaml-tree.ts';

export function checkTransforms(context: CheckContext): void {
  for (const [index, transform] of context.spec.transforms.entries()) {
    checkTransform(context, transform, ['enriched_silver', 'transforms', index]);
  }
  checkTransformCycles(context);
}

function checkTransform(context: CheckContext, transform: TransformSpec, path: TreePath): void {
  const what = `transform ${transform.name}`;
  const isKnown = checkImplementation(context, transform, path);
  const inputs = transformInputs(context);
  if (namesOf(context.spec, 'silver').includes(transform.name)) {
    context.log.error({
      code: 'duplicate_name',
      at: valueAt(context, [...path, 'name']),
      message: `a table of base_silver is called ${transform.name} already`,
      expected: 'a name that depends_on can tell from it',
      hint: `call it int_${transform.name}, or the like`,
    });
  }
  for (const [position, input] of listedInputs(context, path).entries()) {
    if (inputs.includes(input)) continue;
    reportUnknownTable(
      context,
      [...path, 'depends_on', position],
      input,
      inputs,
      'base_silver, dims or enriched_silver',
    );
  }
  if (isKnown) {
    if (transform.dependsOn.length === 0) reportMissing(context, path, what, 'depends_on', '[<table>]');
    if (transform.partitionKey === '') reportMissing(context, path, what, 'partition_key', '<column>');
    if (transform.primaryKey.length === 0) reportMissing(context, path, what, 'primary_key', '[<column>]');
  }
  checkChecks(context, transform.checks, path, null, what, { ...context.spec.params, ...transform.params });
  checkWarehouse(context, path, {
    what,
    raw: context.raw.enriched_silver?.transforms?.[Number(path.at(-1))]?.warehouse,
    columns: null,
    partitionKey: transform.partitionKey,
    hasOwnClusterBy: false,
  });
}

/** True where it is known what computes the table. */
function checkImplementation(context: CheckContext, transform: TransformSpec, path: TreePath): boolean {
  if (transform.implementation.kind === 'file') {
    checkModule(context, transform.implementation.path, [...path, 'file']);
    return true;
  }
  const name = builtinName(transform.name);
  const builtin = name === null ? undefined : BUILTIN_TRANSFORMS[name];
  if (builtin) {
    checkBuiltinInputs(context, transform, builtin, path);
    return true;
  }
  const known = Object.keys(BUILTIN_TRANSFORMS);
  const short = known.map((candidate) => candidate.replace(/^int_/, ''));
  context.log.error({
    code: 'unknown_transform',
    at: valueAt(context, [...path, 'name']),
    message: `there is no built-in transform ${transform.name}`,
    expected: `one of ${known.join(', ')}, or file: ./<module>.ts`,
    hint: meant(didYouMean(transform.name, known) ?? didYouMean(transform.name, short)),
  });
  return false;
}

function checkModule(context: CheckContext, module: string, path: TreePath): void {
  const at = valueAt(context, path);
  if (!/\.(ts|mts|js|mjs)$/.test(module)) {
    context.log.error({ code: 'bad_value', at, message: `${module} is no module`, expected: 'a .ts or .js file' });
  } else if (!context.modules.has(module)) {
    context.log.error({
      code: 'missing_file',
      at,
      message: `there is no file ${module}`,
      expected: 'a module relative to the folder of the spec',
    });
  }
}

function checkBuiltinInputs(
  context: CheckContext,
  transform: TransformSpec,
  builtin: BuiltinTransform,
  path: TreePath,
): void {
  const listed = listedInputs(context, path);
  const at = valueAt(context, listed.length > 0 ? [...path, 'depends_on'] : path);
  const known = transformInputs(context);
  // A misspelt input is told where it stands, not a second time as missing.
  const misspelt = listed.filter((input) => !known.includes(input)).map((input) => didYouMean(input, builtin.required));
  const absent = (inputs: readonly string[]) => inputs.filter((input) => !transform.dependsOn.includes(input));
  for (const input of absent(builtin.required)) {
    if (misspelt.includes(input)) continue;
    context.log.error({
      code: 'missing_input',
      at,
      message: `${transform.name} needs ${input}`,
      expected: `depends_on: [${[...transform.dependsOn, input].join(', ')}]`,
    });
  }
  for (const input of absent(builtin.optional)) {
    context.log.info({
      code: 'optional_input',
      at,
      message: `${transform.name} takes ${input} as empty`,
      expected: `${input} in depends_on, for the figures that come from it`,
    });
  }
  const used = [...builtin.required, ...builtin.optional];
  for (const [position, input] of listed.entries()) {
    if (used.includes(input) || !known.includes(input)) continue;
    context.log.warning({
      code: 'unused_input',
      at: valueAt(context, [...path, 'depends_on', position]),
      message: `${transform.name} does not read ${input}`,
      expected: `some of ${used.join(', ')}`,
    });
  }
}

/** As the YAML lists them, so that positions agree with it. */
function listedInputs(context: CheckContext, path: TreePath): readonly string[] {
  return context.raw.enriched_silver?.transforms?.[Number(path.at(-1))]?.depends_on ?? [];
}

function checkTransformCycles(context: CheckContext): void {
  const { transforms } = context.spec;
  const cycle = findCycle(new Map(transforms.map((transform) => [transform.name, transform.dependsOn])));
  if (!cycle) return;
  const index = transforms.findIndex((transform) => transform.name === cycle[0]);
  reportCycle(context, ['enriched_silver', 'transforms', index, 'depends_on'], 'the transforms', cycle);
}

/** What `depends_on` may name: a dim of that name, else a silver table, else a transform. */
function transformInputs({ spec }: CheckContext): readonly string[] {
  return [...new Set([...namesOf(spec, 'silver'), ...namesOf(spec, 'enriched')])];
}
