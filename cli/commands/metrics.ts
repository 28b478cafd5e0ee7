/** `assay metrics`: what marts can be asked for by name, as their specs declare it. */
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { GRAINS } from '../../core/metric-query.ts';
import type { MartSpec } from '../../core/spec.ts';
import { type GlobalFlags, openProject, requireValidSpecs } from '../project.ts';
import { printJson, printLines } from '../terminal.ts';

interface MetricsOptions {
  readonly pipeline?: string;
  readonly json?: boolean;
}

interface Asked {
  readonly pipeline: string;
  readonly mart: MartSpec;
}

export async function metrics(flags: GlobalFlags, name: string | undefined, options: MetricsOptions): Promise<void> {
  const project = await openProject(flags);
  const all: readonly Asked[] = project.specs
    .filter(({ pipeline }) => options.pipeline === undefined || pipeline === options.pipeline)
    .flatMap(({ pipeline, marts }) => marts.filter((mart) => mart.metrics).map((mart) => ({ pipeline, mart })));
  if (all.length === 0) requireValidSpecs(project);
  const asked = name === undefined ? all : all.filter(({ mart }) => mart.name === name.replace(/^gold\./, ''));
  if (name !== undefined && asked.length === 0) throw unknownMart(name, all);
  if (options.json) {
    printJson(
      asked.map(({ pipeline, mart }) => ({
        pipeline,
        mart: mart.name,
        description: mart.description,
        time: mart.metrics?.time ?? null,
        grains: mart.metrics?.time == null ? [] : GRAINS,
        measures: mart.metrics?.measures ?? [],
        dimensions: mart.metrics?.dimensions ?? [],
      })),
    );
  } else if (all.length === 0) printLines(['No mart declares metrics yet. docs/how-to/query-gold.md shows how.']);
  else if (name === undefined) printLines(asked.flatMap(({ mart }) => inShort(mart)));
  else printLines(asked.flatMap(({ mart }) => inFull(mart)));
}

function inShort({ name, metrics: declared }: MartSpec): readonly string[] {
  const names = (items: readonly { readonly name: string }[] | undefined): string =>
    (items ?? []).map((item) => item.name).join(', ') || '—';
  return [
    name,
    `  measures    ${names(declared?.measures)}`,
    `  dimensions  ${names(declared?.dimensions)}`,
    `  time        ${declared?.time ?? '—'}`,
  ];
}

function inFull({ name, description, metrics: declared }: MartSpec): string[] {
  const { measures = [], dimensions = [], time = null } = declared ?? {};
  const width = Math.max(...[...measures, ...dimensions].map((item) => item.name.length));
  const line = (item: { readonly name: string; readonly description: string; readonly sql: string }): string =>
    `  ${item.name.padEnd(width)}  ${item.description === '' ? item.sql : item.description}`;
  const [first] = measures;
  const [by] = dimensions;
  const example = [
    `assay query --mart ${name} --measure ${first?.name ?? ''}`,
    ...(by ? [`--by ${by.name}`] : []),
    ...(time === null ? [] : ['--grain month']),
  ];
  return [
    `${name}: ${description}`,
    'measures',
    ...measures.map(line),
    'dimensions',
    ...dimensions.map(line),
    time === null ? 'no time' : `time: ${time}, by ${GRAINS.join(', ')}`,
    '',
    example.join(' '),
  ];
}

function unknownMart(name: string, all: readonly Asked[]): PipelineError {
  const known = all.map(({ mart }) => mart.name);
  const meant = didYouMean(name, known);
  return new PipelineError(
    'usage',
    `No mart ${name} declares metrics.${meant ? ` Did you mean ${meant}?` : ''} These do: ${known.join(', ') || 'none'}.`,
  );
}
