/** What a transform declares (inputs, output, window, parameters) and its function -> a checked definition; the public way to add one. */
import type { LazyDataFrame } from 'nodejs-polars';
import { PipelineError } from '../../core/errors.ts';
import type { ColumnSchema, ColumnType, Day } from '../../core/types.ts';

/** The column that every output gets as its last: the run date. Not to be declared. */
export const RUN_DATE_COLUMN = 'ingest_dt';

/** A column of the input itself, or a column of another input, found by a key that both have. */
export type DaySource = string | { readonly input: string; readonly key: string; readonly column: string };

/** A date column computed for the function: the first source that is not null. A timestamp counts as its day in UTC. */
export interface DayRule {
  readonly as: string;
  readonly from: readonly DaySource[];
}

export interface InputDefinition {
  /** Columns that the function cannot do without. */
  readonly columns: { readonly [name: string]: ColumnType };
  /** All null where the table lacks them. */
  readonly optionalColumns?: { readonly [name: string]: ColumnType };
  /**
   * The day a row counts for: a declared date or timestamp column, or a rule. Rows whose day is null are not read.
   * Null: a lookup, read whole; its changes rewrite no day table.
   */
  readonly date: string | DayRule | null;
  /** True: a pipeline without this table reads an empty frame. */
  readonly optional?: boolean;
  /** `history`: any earlier row may matter, so all are read, and a change rewrites every later day. Default `window`. */
  readonly reach?: 'window' | 'history';
  /** True: read only to date other inputs; the function does not get it. */
  readonly datesOnly?: boolean;
}

export type ParamValue = number | string | boolean | readonly number[];
export type Params = { readonly [name: string]: ParamValue };

/** Days before and after its own that an output row depends on. */
export interface DayWindow {
  readonly before: number;
  readonly after: number;
}

export interface TransformContext<P> {
  /** The last day of the run's interval: reference of every as-of figure. There is no other today. */
  readonly runDate: Day;
  /** Declared parameters: the transform's own value, else the pipeline's, else the default. */
  readonly params: P;
}

export interface TransformDefinition<Inputs = { readonly [name: string]: InputDefinition }, P = Params> {
  readonly name: string;
  readonly inputs: Inputs;
  /** Defaults; their types are the parameters' types. */
  readonly params?: P;
  /** Least window; a spec may widen it. `as_of`: a snapshot of all history up to the run date. Default: what the spec says. */
  readonly window?: 'as_of' | DayWindow | ((params: P) => DayWindow);
  /** A declared date column, or `ingest_dt` for a snapshot. */
  readonly partitionKey: string;
  readonly primaryKey: readonly string[];
  /** In output order, without `ingest_dt`. */
  readonly columns: readonly ColumnSchema[];
  /** To be raised whenever the function gives other rows than before: all days are then rebuilt. Default 1. */
  readonly version?: number;
  /**
   * Pure: frames in, one frame out, nothing read or written, no clock.
   * Output: one row per primary key, the declared columns among its columns, in any order of rows and columns; decimals may come
   * with more digits and are rounded half away from zero. Further columns, and rows of other days than those asked for, are left out.
   */
  run(inputs: { readonly [name in keyof Inputs]: LazyDataFrame }, context: TransformContext<P>): LazyDataFrame;
}

/**
 * Checks a declaration and returns it as it is; the result is the module's default export.
 *
 * @throws PipelineError `transform_invalid` with every fault of the declaration
 */
export function defineTransform<
  const Inputs extends { readonly [name: string]: InputDefinition },
  P extends Params = Record<never, never>,
>(definition: TransformDefinition<Inputs, P>): TransformDefinition<Inputs, P> {
  const faults = faultsOf(definition as unknown as TransformDefinition);
  if (faults.length > 0) {
    throw new PipelineError('transform_invalid', `Transform ${definition.name}: ${faults.join('; ')}.`, {
      context: { transform: definition.name },
    });
  }
  return definition;
}

/** Name and type of every column that an input reads. */
export function declaredColumns(input: InputDefinition): { readonly [name: string]: ColumnType } {
  return { ...input.columns, ...input.optionalColumns };
}

/** The input's day as a rule; null for a lookup. */
export function dayRule(input: InputDefinition): DayRule | null {
  return typeof input.date === 'string' ? { as: input.date, from: [input.date] } : input.date;
}

function faultsOf(definition: TransformDefinition): readonly string[] {
  const names = definition.columns.map((column) => column.name);
  const known = new Set([...names, RUN_DATE_COLUMN]);
  const isDate = (name: string) => definition.columns.some((column) => column.name === name && column.type === 'date');
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `column ${name} is declared twice`),
    ...names
      .filter((name) => name === RUN_DATE_COLUMN)
      .map(() => `column ${RUN_DATE_COLUMN} is added by the build, leave it out`),
    ...definition.primaryKey.filter((name) => !known.has(name)).map((name) => `primary key ${name} is no column`),
    ...(definition.partitionKey === RUN_DATE_COLUMN || isDate(definition.partitionKey)
      ? []
      : [`partition key ${definition.partitionKey} is no column of type date`]),
    ...Object.entries(definition.inputs).flatMap(([name, input]) => inputFaults(definition, name, input)),
  ];
}

function inputFaults(definition: TransformDefinition, name: string, input: InputDefinition): readonly string[] {
  const own = declaredColumns(input);
  return (dayRule(input)?.from ?? []).flatMap((source) => {
    if (typeof source === 'string')
      return source in own ? [] : [`input ${name} takes its day from ${source}, which it does not read`];
    const parent = definition.inputs[source.input];
    if (!parent) return [`input ${name} takes its day from ${source.input}, which is no input`];
    const theirs = declaredColumns(parent);
    return [
      ...(source.key in own ? [] : [`input ${name} does not read ${source.key}`]),
      ...[source.key, source.column]
        .filter((column) => !(column in theirs))
        .map((column) => `input ${source.input} does not read ${column}`),
    ];
  });
}
