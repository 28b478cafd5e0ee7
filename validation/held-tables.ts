/** A closed gate -> the tables to hold back so that the others may pass. Pure. */
import type { Spec } from '../core/spec.ts';
import { transformInputs } from '../core/transform-inputs.ts';
import type { PublishedLayer } from '../core/types.ts';
import { failedTables, type GateInput } from './gate.ts';
import { compareText } from './measured-result.ts';

/** The tables that failed and those of the layer that are built on them, sorted; null where these are none or all. */
export function tablesToHold(spec: Spec, layer: PublishedLayer, input: GateInput): readonly string[] | null {
  const failed = failedTables(input).map((table) => `${layer}.${table}`);
  const held = new Set([...failed, ...descendants(spec, failed)]);
  const own = input.tables.filter((table) => held.has(`${layer}.${table}`));
  return own.length === 0 || own.length === input.tables.length ? null : own.toSorted(compareText);
}

/** What is built on tables, directly or not. Names are `layer.table`; in the order of the spec, layer by layer, without the given ones. */
export function descendants(spec: Spec, tables: Iterable<string>): readonly string[] {
  return reachedFrom(tables, [...childTables(spec), ...readingTables(spec)]);
}

/** The same without the silver tables whose rows only point to one of these: dims, enriched tables and marts that show their rows. */
export function readers(spec: Spec, tables: Iterable<string>): readonly string[] {
  return reachedFrom(tables, readingTables(spec));
}

interface BuiltTable {
  readonly name: string;
  readonly inputs: readonly string[];
}

function reachedFrom(tables: Iterable<string>, built: readonly BuiltTable[]): readonly string[] {
  const given = new Set(tables);
  const reached = new Set(given);
  // Each round reaches one step further; a round that reaches nothing new is the last.
  for (let before = -1; before < reached.size; ) {
    before = reached.size;
    for (const { name, inputs } of built) if (inputs.some((input) => reached.has(input))) reached.add(name);
  }
  return built.flatMap(({ name }) => (reached.has(name) && !given.has(name) ? [name] : []));
}

/** Of silver, a table whose rows point to another's is built on that. */
function childTables(spec: Spec): readonly BuiltTable[] {
  return spec.tables.map(({ name, foreignKeys }) => ({
    name: `silver.${name}`,
    inputs: foreignKeys.map(({ references }) => `silver.${references.table}`),
  }));
}

function readingTables(spec: Spec): readonly BuiltTable[] {
  return [
    ...spec.dims.map(({ name }) => ({ name: `dims.${name}`, inputs: [`silver.${name}`] })),
    ...spec.transforms.map((transform) => ({
      name: `enriched.${transform.name}`,
      inputs: transformInputs(spec, transform),
    })),
    ...spec.marts.map(({ name, inputs }) => ({
      name: `gold.${name}`,
      inputs: inputs.map(({ layer, table }) => `${layer}.${table}`),
    })),
  ];
}
