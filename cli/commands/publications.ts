/** `assay ls`, `versions`, `rollback`: what is published, what was, and going back. */

import { stateFolder } from '../../config/project-paths.ts';
import { PipelineError } from '../../core/errors.ts';
import type { Publication, PublishedLayer } from '../../core/types.ts';
import { acquireProjectLock } from '../../scheduler/project-lock.ts';
import type { Publications } from '../../storage/publications.ts';
import { describeInterval } from '../follow-run.ts';
import { holdWords, whoAmI } from '../hold-words.ts';
import { openLake } from '../lake.ts';
import { type GlobalFlags, openProject, type Project, requirePipeline } from '../project.ts';
import { systemClock } from '../system-clock.ts';
import { number } from '../task-words.ts';
import { confirm, printJson, printLines, table } from '../terminal.ts';

const PUBLISHED: readonly PublishedLayer[] = ['silver', 'dims', 'enriched', 'gold'];

interface PipelineOption {
  readonly pipeline?: string;
  readonly json?: boolean;
}

export async function ls(
  flags: GlobalFlags,
  name: string | undefined,
  options: PipelineOption & { readonly files?: boolean },
): Promise<void> {
  const project = await openProject(flags);
  const { publications, store } = await openLake(project.settings, requirePipeline(project, options.pipeline).pipeline);
  if (name === undefined) return listTables(publications, options.json ?? false);
  const { layer, tableName } = parseTable(name);
  const publication = await publications.current(layer);
  const published = publication?.tables[tableName];
  if (!publication || !published) {
    const known = Object.keys(publication?.tables ?? {});
    throw new PipelineError(
      'publication_not_found',
      `${name} is not published. ${known.length > 0 ? `The ${layer} layer has: ${known.join(', ')}.` : `The ${layer} layer has no version yet.`}`,
    );
  }
  const partitions = Object.values(published.partitions).sort((a, b) => (a.value < b.value ? -1 : 1));
  if (options.json) {
    printJson({
      layer,
      table: tableName,
      sequence: publication.sequence,
      partitionKey: published.partitionKey,
      columns: published.columns,
      partitions,
    });
  } else if (options.files) {
    printLines(
      table(
        ['partition', 'rows', 'bytes', 'file'],
        partitions.flatMap((partition) =>
          partition.files.map((file) => [
            partition.value || '(whole)',
            number(file.rows),
            number(file.sizeBytes),
            `${store.displayName}${file.key}`,
          ]),
        ),
      ),
    );
  } else {
    printLines(
      table(
        [published.partitionKey ?? 'partition', 'rows', 'bytes', 'files'],
        partitions.map((one) => [
          one.value || '(whole)',
          number(one.rows),
          number(one.sizeBytes),
          String(one.files.length),
        ]),
      ),
    );
  }
}

async function listTables(publications: Publications, json: boolean): Promise<void> {
  const visible = (await Promise.all(PUBLISHED.map(publications.current))).flatMap((publication) => publication ?? []);
  const holds = (await Promise.all(PUBLISHED.map(publications.held))).flatMap((hold) => hold ?? []);
  const rows = visible.flatMap((publication) =>
    Object.entries(publication.tables).map(([name, published]) => {
      const partitions = Object.values(published.partitions);
      const sum = (of: (one: (typeof partitions)[number]) => number): number =>
        partitions.reduce((total, one) => total + of(one), 0);
      return {
        table: `${publication.layer}.${name}`,
        version: publication.sequence,
        partitions: partitions.length,
        rows: sum((p) => p.rows),
        bytes: sum((p) => p.sizeBytes),
        held: holds.some(({ layer }) => layer === publication.layer),
      };
    }),
  );
  if (json) printJson(rows);
  else if (rows.length === 0) printLines(['Nothing is published yet.']);
  else
    printLines(
      table(
        ['table', 'version', 'partitions', 'rows', 'bytes'],
        rows.map((row) => [
          row.table,
          String(row.version),
          number(row.partitions),
          number(row.rows),
          number(row.bytes),
        ]),
      ),
    );
  if (!json) printLines(holds.map((hold) => `${hold.layer} is held ${holdWords(hold)}.`));
}

export async function versions(flags: GlobalFlags, layerName: string, options: PipelineOption): Promise<void> {
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const { publications } = await openLake(project.settings, spec.pipeline);
  const layer = parseLayer(layerName);
  const all: Publication[] = [];
  for await (const publication of publications.history(layer)) all.push(publication);
  const current = await publications.current(layer);
  const hold = await publications.held(layer);
  if (options.json) {
    printJson(
      all.map(({ tables, ...facts }) => ({
        ...facts,
        isCurrent: facts.sequence === current?.sequence,
        hold: facts.sequence === current?.sequence ? hold : null,
        tables: Object.keys(tables),
      })),
    );
    return;
  }
  if (hold !== null)
    printLines([`${layer} is held ${holdWords(hold)}. Release it with: assay hold ${layer} --release`]);
  if (all.length === 0) {
    printLines([`The ${layer} layer has no version yet.`]);
    return;
  }
  printLines(
    table(
      ['', 'version', 'published', 'covers', 'verdict', 'run', 'note'],
      all.map((one) => [
        one.sequence === current?.sequence ? '→' : '',
        String(one.sequence),
        one.publishedAt,
        describeInterval(one.interval, spec.timezone),
        one.verdict ?? '',
        `${one.dagId} ${one.runId}`,
        noteOf(one),
      ]),
    ),
  );
}

function noteOf({ revertsTo, accepted }: Publication): string {
  const notes = revertsTo === null ? [] : [`version ${revertsTo} again`];
  if (accepted) notes.push(`let pass by ${accepted.by}: ${accepted.because}`);
  if (accepted && accepted.held.length > 0) notes.push(`without ${accepted.held.join(', ')}`);
  return notes.join('; ');
}

interface RollbackOptions {
  readonly to: string;
  readonly hold?: boolean;
  readonly reason?: string;
  readonly pipeline?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** A repeat completes what an interrupted one began: the pointer moves once, the warehouse is brought up to it each time. */
export async function rollback(flags: GlobalFlags, layerName: string, options: RollbackOptions): Promise<void> {
  const layer = parseLayer(layerName);
  const sequence = Number(options.to);
  if (!Number.isInteger(sequence) || sequence < 1)
    throw new PipelineError(
      'usage',
      `--to takes the number of a version, not "${options.to}". assay versions ${layer} lists them.`,
    );
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const { publications } = await openLake(project.settings, spec.pipeline);
  const current = await publications.current(layer);
  const target = await publications.at(layer, sequence);
  const what = `${layer}: readers see version ${current?.sequence ?? 0} (${current ? describeInterval(current.interval, spec.timezone) : ''}); version ${sequence} (${describeInterval(target.interval, spec.timezone)}) would be published again${options.hold ? ', and no other after it until the layer is released' : ''}.`;
  if (options.dryRun) {
    if (options.json)
      printJson({ layer, current: current?.sequence ?? null, to: sequence, hold: options.hold ?? false });
    else printLines([what]);
    return;
  }
  if (!(await confirm(`${what} Go on?`, options.yes))) {
    throw new PipelineError('usage', 'Nothing was changed. Say --yes to go on without being asked.');
  }
  const { assertMayFollow, followRollback, needsWarehouseFile } = await import('../follow-rollback.ts');
  // Nobody else may build marts in the one file meanwhile; the lock also says so to whoever tries. Pointers and BigQuery need none.
  using _lock = needsWarehouseFile(project, spec, layer) ? lockProject(project) : null;
  await assertMayFollow(project, spec, layer, publications);
  if (options.hold) await publications.hold(layer, { by: whoAmI(), reason: options.reason ?? null });
  const published = await publications.rollback(layer, sequence, {
    dagId: 'rollback',
    runId: `rollback__${layer}_${current?.sequence ?? 0}_to_${sequence}`,
  });
  const hold = await publications.held(layer);
  const isShown = published.sequence === current?.sequence;
  const lines = isShown
    ? [`Readers of ${layer} see version ${published.sequence} already, which shows what version ${sequence} does.`]
    : [`Readers of ${layer} now see version ${published.sequence}, which is version ${sequence} again.`];
  if (hold !== null) lines.push(`${layer} is held ${holdWords(hold)}. Release it with: assay hold ${layer} --release`);
  if (!options.json) printLines(lines);
  const followed = await followRollback(project, spec, published);
  if (options.json) printJson({ layer, sequence: published.sequence, revertsTo: sequence, hold, followed });
  else printLines(followed);
}

function lockProject(project: Project): Disposable {
  const lock = acquireProjectLock({ stateDir: stateFolder(project.settings), clock: systemClock });
  return { [Symbol.dispose]: () => lock.release() };
}

export function parseLayer(name: string): PublishedLayer {
  const layer = PUBLISHED.find((one) => one === name);
  if (layer) return layer;
  throw new PipelineError('usage', `"${name}" is no layer that is published. Say ${PUBLISHED.join(', ')}.`);
}

function parseTable(name: string): { readonly layer: PublishedLayer; readonly tableName: string } {
  const [layer = '', tableName = ''] = name.split('.');
  if (tableName === '') throw new PipelineError('usage', `Name a table with its layer, e.g. silver.${name}.`);
  return { layer: parseLayer(layer), tableName };
}
