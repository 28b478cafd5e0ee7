/** `assay ls`, `versions`, `rollback`: what is published, what was, and going back. */

import { stateFolder } from '../../config/project-paths.ts';
import { PipelineError } from '../../core/errors.ts';
import type { Publication, PublishedLayer } from '../../core/types.ts';
import { acquireProjectLock } from '../../scheduler/project-lock.ts';
import { systemClock } from '../app.ts';
import { describeInterval } from '../follow-run.ts';
import { openLake } from '../lake.ts';
import { type GlobalFlags, openProject, requirePipeline } from '../project.ts';
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
  if (name === undefined) return listTables(publications.current, options.json ?? false);
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

async function listTables(
  current: (layer: PublishedLayer) => Promise<Publication | null>,
  json: boolean,
): Promise<void> {
  const publications = (await Promise.all(PUBLISHED.map(current))).flatMap((publication) => publication ?? []);
  const rows = publications.flatMap((publication) =>
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
}

export async function versions(flags: GlobalFlags, layerName: string, options: PipelineOption): Promise<void> {
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const { publications } = await openLake(project.settings, spec.pipeline);
  const layer = parseLayer(layerName);
  const all: Publication[] = [];
  for await (const publication of publications.history(layer)) all.push(publication);
  const current = await publications.current(layer);
  if (options.json) {
    printJson(
      all.map(({ tables, ...facts }) => ({
        ...facts,
        isCurrent: facts.sequence === current?.sequence,
        tables: Object.keys(tables),
      })),
    );
    return;
  }
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
        one.revertsTo === null ? '' : `version ${one.revertsTo} again`,
      ]),
    ),
  );
}

export async function rollback(
  flags: GlobalFlags,
  layerName: string,
  options: { readonly to: string; readonly pipeline?: string; readonly dryRun?: boolean; readonly yes?: boolean },
): Promise<void> {
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const lake = await openLake(project.settings, spec.pipeline);
  const layer = parseLayer(layerName);
  const sequence = Number(options.to);
  if (!Number.isInteger(sequence) || sequence < 1)
    throw new PipelineError(
      'usage',
      `--to takes the number of a version, not "${options.to}". assay versions ${layer} lists them.`,
    );
  const current = await lake.publications.current(layer);
  const target = await lake.publications.at(layer, sequence);
  if (current?.sequence === sequence) {
    printLines([`Version ${sequence} is what readers of ${layer} see already.`]);
    return;
  }
  const what = `${layer}: readers see version ${current?.sequence ?? 0} (${current ? describeInterval(current.interval, spec.timezone) : ''}); version ${sequence} (${describeInterval(target.interval, spec.timezone)}) would be published again as version ${(current?.sequence ?? 0) + 1}.`;
  if (options.dryRun) {
    printLines([what]);
    return;
  }
  if (!(await confirm(`${what} Go on?`, options.yes))) {
    throw new PipelineError('usage', 'Nothing was changed. Say --yes to go on without being asked.');
  }
  // A run must not publish in between; the lock also says so to whoever tries.
  const lock = acquireProjectLock({ stateDir: stateFolder(project.settings), clock: systemClock });
  try {
    const published = await lake.publications.rollback(layer, sequence, {
      dagId: 'rollback',
      runId: `rollback__${layer}_${current?.sequence ?? 0}_to_${sequence}`,
    });
    printLines([`Readers of ${layer} now see version ${published.sequence}, which is version ${sequence} again.`]);
    if (current) {
      const { followRollback } = await import('../follow-rollback.ts');
      printLines(await followRollback(project, spec, { layer, before: current, after: published }));
    }
  } finally {
    lock.release();
  }
}

function parseLayer(name: string): PublishedLayer {
  const layer = PUBLISHED.find((one) => one === name);
  if (layer) return layer;
  throw new PipelineError('usage', `"${name}" is no layer that is published. Say ${PUBLISHED.join(', ')}.`);
}

function parseTable(name: string): { readonly layer: PublishedLayer; readonly tableName: string } {
  const [layer = '', tableName = ''] = name.split('.');
  if (tableName === '') throw new PipelineError('usage', `Name a table with its layer, e.g. silver.${name}.`);
  return { layer: parseLayer(layer), tableName };
}
