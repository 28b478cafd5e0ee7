/** A transform's declared inputs and the publications of a run -> the table version that each input reads. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { readDim } from '../../core/dim-snapshot.ts';
import { PipelineError } from '../../core/errors.ts';
import { overlay } from '../../core/ports.ts';
import type { Spec } from '../../core/spec.ts';
import type {
  ColumnSchema,
  DataPartition,
  Day,
  Publication,
  PublishedLayer,
  PublishedTable,
  StagedTable,
} from '../../core/types.ts';
import type { InputDefinition, TransformDefinition } from './define-transform.ts';

/** One version of one table. */
export interface TableVersion {
  readonly layer: PublishedLayer;
  readonly columns: readonly ColumnSchema[];
  readonly partitions: readonly DataPartition[];
}

export interface BoundInput {
  readonly name: string;
  readonly definition: InputDefinition;
  /** Null: the pipeline has no such table. */
  readonly table: TableVersion | null;
}

/** What a build may read: pinned or published by this run, and what earlier transforms of this run have staged. */
export interface Readable {
  readonly silver: Publication | null;
  readonly dims: Publication | null;
  readonly enriched: Publication | null;
  readonly staged: (transform: string) => StagedTable | undefined;
  readonly runDate: Day;
}

/**
 * A name means the dim of that name, else the silver table, else another transform's output, this run's included.
 *
 * @throws PipelineError `transform_invalid` for an input that the pipeline lacks, or a column that its table lacks;
 *   `transform_failed` for one that is not published yet
 */
export function bindInputs(definition: TransformDefinition, spec: Spec, readable: Readable): readonly BoundInput[] {
  return Object.entries(definition.inputs).map(([name, input]) => {
    const table = findTable(name, spec, readable);
    if (table) assertColumns(definition.name, name, input, table);
    else if (!input.optional) throw missingInput(definition.name, name, spec);
    return { name, definition: input, table };
  });
}

/** What a reader should know about inputs that were stood in for. */
export function inputHints(inputs: readonly BoundInput[], spec: Spec, readable: Readable): readonly string[] {
  return inputs.flatMap((input) => {
    if (!input.table) return [`${input.name} is not in this pipeline and is read as an empty table`];
    if (input.table.layer !== 'dims') {
      return isDim(spec, input.name)
        ? [`dims.${input.name} has no snapshot yet, silver.${input.name} is read instead`]
        : [];
    }
    const snapshot = readDim(readable.dims, input.name, readable.runDate);
    return snapshot?.isBootstrap
      ? [`dims.${input.name} has no snapshot on or before ${readable.runDate}, its earliest (${snapshot.day}) is read`]
      : [];
  });
}

/** The version of an input's table that an earlier publication held; null where it held none. */
export function tableVersion(publication: Publication | null, name: string): TableVersion | null {
  const table = publication?.tables[name];
  return publication && table ? versionOf(publication.layer, table) : null;
}

function findTable(name: string, spec: Spec, readable: Readable): TableVersion | null {
  const snapshot = isDim(spec, name) ? readDim(readable.dims, name, readable.runDate) : null;
  if (snapshot) {
    const columns = readable.dims?.tables[name]?.columns ?? [];
    return { layer: 'dims', columns, partitions: [snapshot.partition] };
  }
  return tableVersion(readable.silver, name) ?? enrichedVersion(name, readable);
}

function enrichedVersion(name: string, readable: Readable): TableVersion | null {
  const staged = readable.staged(name);
  const published = readable.enriched?.tables[name];
  const columns = staged?.columns ?? published?.columns;
  return columns ? { layer: 'enriched', columns, partitions: overlay(published, staged) } : null;
}

function versionOf(layer: PublishedLayer, table: PublishedTable): TableVersion {
  return { layer, columns: table.columns, partitions: overlay(table, undefined) };
}

function isDim(spec: Spec, name: string): boolean {
  return spec.dims.some((dim) => dim.name === name);
}

function assertColumns(transform: string, name: string, input: InputDefinition, table: TableVersion): void {
  const present = table.columns.map((column) => column.name);
  for (const [column, type] of Object.entries(input.columns)) {
    if (present.includes(column)) continue;
    const near = didYouMean(column, present);
    throw new PipelineError(
      'transform_invalid',
      `Transform ${transform} reads ${table.layer}.${name}.${column} (${type}), which the table does not have` +
        `${near ? `; did it mean ${near}` : ''}. Add the column to the table's spec, or declare it under optionalColumns.`,
      { context: { transform, input: name, column, expected: type } },
    );
  }
}

function missingInput(transform: string, name: string, spec: Spec): PipelineError {
  const known = [...spec.tables, ...spec.dims, ...spec.transforms].map((one) => one.name);
  if (known.includes(name)) {
    return new PipelineError(
      'transform_failed',
      `Transform ${transform} reads ${name}, of which nothing is published yet. Run and publish the layer below first.`,
      { context: { transform, input: name } },
    );
  }
  const near = didYouMean(name, known);
  return new PipelineError(
    'transform_invalid',
    `Transform ${transform} reads ${name}, but the pipeline has no table, dim or transform of that name` +
      `${near ? `; did it mean ${near}` : ''}. Add the table to the spec.`,
    { context: { transform, input: name } },
  );
}
