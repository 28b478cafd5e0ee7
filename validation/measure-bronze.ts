/** Pinned bronze partitions of the task's tables -> results of all bronze checks. */
import { PipelineError } from '../core/errors.ts';
import { pinnedBronze, pinnedSequence } from '../core/pinned-inputs.ts';
import type { TableSpec } from '../core/spec.ts';
import type { BronzePartition, PublishedTable, TableAccount } from '../core/types.ts';
import { contentChecks } from './checks/bronze/contents.ts';
import { manifestChecks } from './checks/bronze/manifest.ts';
import { partitionChecks } from './checks/bronze/partitions.ts';
import { readableChecks } from './checks/bronze/readable.ts';
import { schemaChecks } from './checks/bronze/schema.ts';
import { countedRows, type LayerMeasurement, type Measuring, tableAccount } from './measure.ts';
import type { MeasuredResult } from './measured-result.ts';
import { readBronzeFiles } from './read-bronze-files.ts';

/**
 * @throws PipelineError `gate_undecided` where no `pin` task of this run covered a table
 */
export async function measureBronze(measuring: Measuring): Promise<LayerMeasurement> {
  const { context } = measuring;
  const silver = await silverTables(measuring);
  const results: MeasuredResult[] = [];
  const tables: TableAccount[] = [];
  for (const spec of context.spec.tables.filter((table) => context.task.tables.includes(table.name))) {
    const pinned = pinnedBronze(context.outputs, spec.name);
    if (pinned === null) throw notPinned(spec.name);
    const measured = await measureTable(measuring, spec, pinned, silver[spec.name]);
    results.push(...measured.results);
    tables.push(tableAccount(spec.name, countedRows(measured.rows), measured.results));
  }
  return { results, tables };
}

async function measureTable(
  { bronze, context, session }: Measuring,
  spec: TableSpec,
  pinned: readonly BronzePartition[],
  published: PublishedTable | undefined,
): Promise<{ readonly rows: number; readonly results: readonly MeasuredResult[] }> {
  const vanished = pinned.filter((partition) => hasVanished(partition, published));
  const there = pinned.filter((partition) => !vanished.includes(partition));
  const facts = await readBronzeFiles(session, bronze, spec, there, context.spec.nullValues);
  const delivered = partitionChecks(facts, {
    firstDay: context.run.firstDay,
    lastDay: context.run.runDate,
    isKnown: Object.keys(published?.inputs ?? {}).length > 0,
    strays: strayKeys(context.outputs, spec.name),
    vanished: vanished.map((partition) => partition.partition),
  });
  if (there.length === 0) return { rows: 0, results: delivered };
  return {
    rows: facts.files.reduce((sum, file) => sum + (file.rows ?? 0), 0),
    results: [
      ...delivered,
      ...readableChecks(facts),
      ...manifestChecks(facts),
      ...schemaChecks(facts),
      ...contentChecks(facts),
    ],
  };
}

/** The pin lists a partition that silver knows and bronze lacks without files and manifest. */
function hasVanished(partition: BronzePartition, published: PublishedTable | undefined): boolean {
  return (
    partition.files.length === 0 &&
    partition.manifest.state === 'missing' &&
    published?.inputs[partition.partition] !== undefined
  );
}

function strayKeys(outputs: Measuring['context']['outputs'], table: string): readonly string[] {
  return Object.values(outputs).flatMap((output) =>
    output.kind === 'pinned' ? (output.pinned.strays?.[table] ?? []) : [],
  );
}

async function silverTables({
  context,
  publications,
}: Measuring): Promise<{ readonly [table: string]: PublishedTable }> {
  const sequence = pinnedSequence(context.outputs, 'silver');
  if (sequence === null || sequence === undefined) return {};
  return (await publications.at('silver', sequence)).tables;
}

function notPinned(table: string): PipelineError {
  return new PipelineError(
    'gate_undecided',
    `No finished task of this run has pinned bronze.${table}, so it cannot be validated. ` +
      'Put a `pin` task for bronze before this one, and rerun.',
    { context: { table } },
  );
}
