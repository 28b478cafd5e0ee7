/** A metric query over one mart -> the GoogleSQL that answers it. Pure: names become the spec's own SQL, texts become parameters. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { FILTER_OPS, GRAINS, type Grain, type MetricFilter, type MetricQuery } from '../../core/metric-query.ts';
import { isDay } from '../../core/partition.ts';
import type { MartSpec, MetricsSpec } from '../../core/spec.ts';
import { type FilterField, filterCondition, TextParameters } from './metric-filter.ts';

export interface CompiledMetrics {
  readonly sql: string;
  readonly parameters: { readonly [name: string]: string };
}

/** What one output column is called, and the inner column that it comes from. */
interface Selected {
  readonly name: string;
  readonly inner: string;
}

interface Field extends FilterField {
  readonly kind: 'time' | 'dimension' | 'measure';
}

const TRUNCATION: { readonly [grain in Grain]: string } = {
  day: 'DAY',
  week: 'ISOWEEK',
  month: 'MONTH',
  quarter: 'QUARTER',
  year: 'YEAR',
};

/**
 * Figures are computed by an inner query whose columns have names of our own, so that a measure may be called like the column
 * that it sums; the outer one filters by measures, names, sorts and cuts. The time column is called as its grain.
 *
 * @throws PipelineError `usage`, naming the field, the mart and what there is
 */
export function compileMetricQuery(marts: readonly MartSpec[], query: MetricQuery): CompiledMetrics {
  const mart = martOf(marts, query.mart);
  const fields = new Fields(mart, metricsOf(mart, marts));
  const parameters = new TextParameters();
  const time = query.time?.grain === undefined ? [] : [fields.grain(query.time.grain)];
  const dimensions = distinct(query.dimensions, 'dimensions').map((name) => fields.find(name, 'dimension'));
  const measures = distinct(query.measures, 'measures').map((name) => fields.find(name, 'measure'));
  if (measures.length === 0) throw refuse(`Say which measures of ${mart.name} are meant: ${fields.names('measure')}.`);
  const filtered = query.filters.map((filter) => ({ filter, field: fields.forFilter(filter) }));
  const having = filtered.filter(({ field }) => field.kind === 'measure');

  const groups = [...time, ...dimensions].map((field, index) => ({ field, inner: `d${index}` }));
  const onlyFiltered = having.map(({ field }) => field).filter((field) => !measures.includes(field));
  const figures = [...measures, ...new Set(onlyFiltered)].map((field, index) => ({ field, inner: `m${index}` }));
  const innerOf = (field: Field): string => figures.find((figure) => figure.field === field)?.inner ?? '';

  const where = [
    ...bounds(fields, query.time),
    ...filtered
      .filter(({ field }) => field.kind !== 'measure')
      .map(({ filter, field }) => filterCondition(field.sql, field, filter, parameters)),
  ];
  const inner = [
    `SELECT ${[...groups, ...figures].map(({ field, inner }) => `(${field.sql}\n) AS ${inner}`).join(',\n    ')}`,
    `FROM gold.\`${mart.name}\``,
    ...(where.length > 0 ? [`WHERE ${where.join('\n    AND ')}`] : []),
    ...(groups.length > 0 ? [`GROUP BY ${groups.map((_, index) => index + 1).join(', ')}`] : []),
  ];
  const selected: readonly Selected[] = [...groups, ...figures.slice(0, measures.length)].map(({ field, inner }) => ({
    name: field.name,
    inner,
  }));
  const order = orderBy(query, mart.name, selected, groups.length);
  const sql = [
    `SELECT ${selected.map(({ name, inner }) => `${inner} AS \`${name}\``).join(', ')}`,
    `FROM (\n  ${inner.join('\n  ')}\n)`,
    ...(having.length > 0
      ? [
          `WHERE ${having.map(({ filter, field }) => filterCondition(innerOf(field), field, filter, parameters)).join('\n  AND ')}`,
        ]
      : []),
    ...(order.length > 0 ? [`ORDER BY ${order.join(', ')}`] : []),
    ...(query.limit === null ? [] : [`LIMIT ${query.limit}`]),
  ];
  return { sql: sql.join('\n'), parameters: parameters.values };
}

function martOf(marts: readonly MartSpec[], name: string): MartSpec {
  const found = marts.find((mart) => mart.name.toLowerCase() === name.toLowerCase().replace(/^gold\./, ''));
  if (found) return found;
  const known = marts.map((mart) => mart.name);
  throw refuse(`There is no mart ${name}. ${meant(name, known)}Marts: ${known.join(', ') || 'none'}.`);
}

function metricsOf(mart: MartSpec, marts: readonly MartSpec[]): MetricsSpec {
  if (mart.metrics) return mart.metrics;
  const others = marts.filter(({ metrics }) => metrics !== null).map(({ name }) => name);
  throw refuse(
    `The mart ${mart.name} declares no metrics. Add them to its header, ask it by SQL, or ask one of: ${others.join(', ') || 'none yet'}.`,
  );
}

/** What a mart can be asked for, by name in any case. */
class Fields {
  readonly #mart: string;
  readonly #fields: readonly Field[];
  readonly #time: Field | null;

  constructor(mart: MartSpec, metrics: MetricsSpec) {
    this.#mart = mart.name;
    this.#time =
      metrics.time === null ? null : { kind: 'time', name: 'time', sql: `\`${metrics.time}\``, type: 'date' };
    this.#fields = [
      ...metrics.measures.map(({ name, sql, type }): Field => ({ kind: 'measure', name, sql, type })),
      ...metrics.dimensions.map(({ name, sql, type }): Field => ({ kind: 'dimension', name, sql, type })),
    ];
  }

  names(kind: Field['kind']): string {
    const names = this.#fields.filter((field) => field.kind === kind).map(({ name }) => name);
    return names.join(', ') || 'none';
  }

  find(name: string, kind: 'measure' | 'dimension'): Field {
    const found = this.#fields.find((field) => sameName(field.name, name));
    if (found?.kind === kind) return found;
    if (found) {
      throw refuse(
        `${name} is a ${found.kind} of ${this.#mart}, not a ${kind}. Its ${kind}s are: ${this.names(kind)}.`,
      );
    }
    if (kind === 'dimension' && this.#time !== null && isTimeName(name)) {
      throw refuse(`${name} is a time of ${this.#mart}, not a dimension. Ask for it with time: {grain: day}.`);
    }
    const known = this.#fields.map((field) => field.name);
    throw refuse(
      `${this.#mart} has no ${kind} ${name}. ${meant(name, known)}It has measures: ${this.names('measure')}; dimensions: ${this.names('dimension')}.`,
    );
  }

  get time(): Field {
    if (this.#time) return this.#time;
    throw refuse(`The mart ${this.#mart} has no time, so it cannot be asked by day, week or month. Leave time out.`);
  }

  grain(grain: Grain): Field {
    if (!GRAINS.includes(grain)) throw refuse(`There is no grain ${String(grain)}. Grains: ${GRAINS.join(', ')}.`);
    const { sql } = this.time;
    return {
      kind: 'time',
      name: grain,
      sql: grain === 'day' ? sql : `DATE_TRUNC(${sql}, ${TRUNCATION[grain]})`,
      type: 'date',
    };
  }

  forFilter({ field, op }: MetricFilter): Field {
    if (!FILTER_OPS.includes(op))
      throw refuse(`There is no operator ${String(op)}. Operators: ${FILTER_OPS.join(', ')}.`);
    if (field.toLowerCase() === 'time') return this.time;
    const found = this.#fields.find((candidate) => sameName(candidate.name, field));
    if (found) return found;
    const known = [...this.#fields.map(({ name }) => name), ...(this.#time ? ['time'] : [])];
    throw refuse(
      `${this.#mart} has nothing called ${field} to filter by. ${meant(field, known)}It has: ${known.join(', ')}.`,
    );
  }
}

/** Days, both included. */
function bounds(fields: Fields, time: MetricQuery['time']): readonly string[] {
  if (time === null) return [];
  const { sql } = fields.time;
  const bound = (day: string | undefined, op: string, what: string): readonly string[] => {
    if (day === undefined) return [];
    if (!isDay(day)) throw refuse(`time.${what} is a day, YYYY-MM-DD, not “${day}”.`);
    return [`${sql} ${op} DATE '${day}'`];
  };
  if (time.from !== undefined && time.to !== undefined && time.from > time.to)
    throw refuse(`time.from (${time.from}) lies after time.to (${time.to}). Swap them.`);
  return [...bound(time.from, '>=', 'from'), ...bound(time.to, '<=', 'to')];
}

function orderBy(query: MetricQuery, mart: string, selected: readonly Selected[], groups: number): readonly string[] {
  // Without another order, rows come by time and dimension; these also decide where an order leaves a tie.
  const ties = selected.slice(0, groups).map(({ inner }) => inner);
  const asked = query.orderBy.map((entry) => {
    const name = entry.replace(/^-/, '');
    const isTime = name.toLowerCase() === 'time' && query.time?.grain !== undefined;
    const found = selected.find((field) => sameName(field.name, isTime ? (query.time?.grain ?? '') : name));
    if (found) return { inner: found.inner, text: `${found.inner}${entry.startsWith('-') ? ' DESC' : ''}` };
    const known = selected.map((field) => field.name);
    throw refuse(
      `The answer of ${mart} cannot be ordered by ${name}, which it does not hold. ${meant(name, known)}It holds: ${known.join(', ')}.`,
    );
  });
  return [...asked.map(({ text }) => text), ...ties.filter((tie) => !asked.some(({ inner }) => inner === tie))];
}

function distinct(names: readonly string[], what: string): readonly string[] {
  const twice = names.find((name, index) => names.findIndex((other) => sameName(other, name)) < index);
  if (twice !== undefined) throw refuse(`${what} names ${twice} twice.`);
  return names;
}

const isTimeName = (name: string): boolean => ['time', ...GRAINS].includes(name.toLowerCase());
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

function meant(word: string, known: readonly string[]): string {
  const suggestion = didYouMean(word, known);
  return suggestion === null ? '' : `Did you mean ${suggestion}? `;
}

const refuse = (message: string): PipelineError => new PipelineError('usage', message);
