/** `assay gc`: removes versions that retention lets go, and staged files that no kept version references. */

import { retentionPolicies } from '../../config/retention.ts';
import { counted } from '../../core/counted.ts';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectCount } from '../../core/ports.ts';
import type { GarbageReport } from '../../storage/collect-garbage.ts';
import { openLake } from '../lake.ts';
import { type GlobalFlags, openProject, requirePipeline } from '../project.ts';
import { number } from '../task-words.ts';
import { confirm, printJson, printLines, table } from '../terminal.ts';
import { parseLayer } from './publications.ts';

interface GcOptions {
  readonly layer?: string;
  readonly pipeline?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Takes no project lock: publishers and readers may be at work. */
export async function gc(flags: GlobalFlags, options: GcOptions): Promise<void> {
  const layer = options.layer === undefined ? undefined : parseLayer(options.layer);
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const { publications } = await openLake(project.settings, spec.pipeline);
  const policies = retentionPolicies(project.settings);
  const what = { policies, ...(layer === undefined ? {} : { layers: [layer] }) };
  const plan = await publications.collect({ ...what, isDryRun: true });
  if (options.dryRun) {
    show(plan, options.json ?? false);
    return;
  }
  const question = `${summary(sumOf(plan.collected, plan.leftovers))} and ${counted(versionsIn(plan), 'old version')} would be deleted. Go on?`;
  if (hasWork(plan) && !(await confirm(question, options.yes))) {
    throw new PipelineError('usage', 'Nothing was deleted. Say --yes to go on without being asked.');
  }
  show(await publications.collect(what), options.json ?? false);
}

const versionsIn = ({ layers }: GarbageReport): number =>
  layers.reduce((sum, { collectedVersions }) => sum + collectedVersions, 0);

const hasWork = (plan: GarbageReport): boolean =>
  plan.collected.objects > 0 || plan.leftovers.objects > 0 || versionsIn(plan) > 0;

const sumOf = (one: ObjectCount, other: ObjectCount): ObjectCount => ({
  objects: one.objects + other.objects,
  bytes: one.bytes + other.bytes,
});

const summary = ({ objects, bytes }: ObjectCount): string => `${counted(objects, 'file')} of ${counted(bytes, 'byte')}`;

function show(report: GarbageReport, json: boolean): void {
  if (json) {
    printJson(report);
    return;
  }
  const word = report.isDryRun ? 'would be deleted' : 'deleted';
  printLines([
    ...table(
      ['layer', 'readers see', 'kept from', 'kept', word],
      report.layers.map(({ layer, visible, keptFrom, keptVersions, collectedVersions }) =>
        [layer, visible, keptFrom, keptVersions, collectedVersions].map(String),
      ),
    ),
    '',
    ...table(
      ['staged files', 'files', 'bytes'],
      (['referenced', 'spared', 'collected'] as const).map((kind) => [
        kind === 'collected' ? word : kind === 'spared' ? 'too young or in use' : 'referenced',
        number(report[kind].objects),
        number(report[kind].bytes),
      ]),
    ),
    ...(report.leftovers.objects > 0 ? ['', `${summary(report.leftovers)} that killed writers left: ${word}`] : []),
  ]);
}
