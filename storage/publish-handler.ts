/** A publish task's upstream outputs -> one published version of its layer. */
import { PipelineError } from '../core/errors.ts';
import type { PublicationStore, TaskContext, TaskHandler } from '../core/ports.ts';
import type { PublishedLayer, ReportRef, StagedTable, TaskOutput } from '../core/types.ts';

/** Silver, dims and enriched: the layers that become visible by moving a pointer alone. */
export function createPublishHandler(deps: { readonly publications: PublicationStore }): TaskHandler {
  return async (context) => {
    const layer = layerOf(context);
    const report = gateReport(context, layer);
    if (report) assertPassed(report, layer);
    const accepted = report?.decision.accepted;
    const staged = context.task.tables.map((table) => stagedTable(context, layer, table));
    const isHeld = ({ table, heldBackBy }: StagedTable): boolean =>
      heldBackBy !== undefined || (accepted?.held.includes(table) ?? false);
    const tables = staged.filter((one) => !isHeld(one));
    const held = staged.filter(isHeld).map(({ table }) => table);
    assertNotCancelled(context);
    const basedOn = basedOnOf(context, layer);
    const publication = await deps.publications.publish({
      layer,
      dagId: context.run.dagId,
      runId: context.run.runId,
      interval: context.run.interval,
      tables,
      reportDigest: report?.digest ?? null,
      verdict: report?.decision.verdict ?? null,
      ...(accepted === undefined ? {} : { accepted }),
      ...(basedOn === undefined ? {} : { basedOn }),
      // Base silver is deduplicated against all published keys of its table; the other layers replace partitions alone.
      reads: layer === 'silver' ? tables.filter(({ unchanged }) => !unchanged).map(({ table }) => table) : [],
    });
    const what = publication.moved ? `published version ${publication.sequence}` : 'nothing changed';
    const rest = held.length > 0 ? `; ${held.join(', ')} held back` : '';
    context.log.info(`${layer}: ${what}${rest}`, {
      layer,
      sequence: publication.sequence,
      touched: publication.touched,
    });
    return { kind: 'published', publication: held.length > 0 ? { ...publication, held } : publication };
  };
}

/** The last moment: once the manifest is written the version is decided. */
function assertNotCancelled(context: TaskContext): void {
  if (context.signal.aborted)
    throw new PipelineError('task_cancelled', `${context.task.id} was cancelled; nothing was published.`);
}

function layerOf(context: TaskContext): PublishedLayer {
  const { layer, id } = context.task;
  if (layer === null || layer === 'bronze') throw new Error(`task ${id} cannot publish layer ${layer}`);
  return layer;
}

function stagedTable(context: TaskContext, layer: PublishedLayer, table: string): StagedTable {
  for (const output of Object.values(context.outputs)) {
    if (output.kind === 'staged' && output.staged.layer === layer && output.staged.table === table)
      return output.staged;
  }
  throw new PipelineError(
    'state_conflict',
    `No task of this run has staged ${layer}.${table}, so ${context.task.id} cannot publish it. ` +
      `Clear the task that builds ${table}, or leave the table out of ${context.task.id} in the spec.`,
    { context: { layer, table } },
  );
}

/**
 * The report that guards this layer: that of a task directly above, else the run's last one of the layer. A report is
 * named for its layer first (`SILVER_QUALITY`, `SILVER_DIMS_QUALITY`). Undefined where the DAG validates nothing.
 */
function gateReport(context: TaskContext, layer: PublishedLayer): ReportRef | undefined {
  const reports = Object.entries(context.outputs).flatMap(([taskId, output]) =>
    output.kind === 'report' ? [{ taskId, report: output.report }] : [],
  );
  const above = reports.filter(({ taskId }) => context.task.upstream.includes(taskId));
  const blocking = above.find(({ report }) => !report.decision.mayPublish);
  const ofLayer = ({ report }: { report: ReportRef }): boolean => report.name.startsWith(`${layer.toUpperCase()}_`);
  return (blocking ?? above.findLast(ofLayer) ?? reports.findLast(ofLayer))?.report;
}

function assertPassed(report: ReportRef, layer: PublishedLayer): void {
  if (report.decision.mayPublish) return;
  const { blockedBy } = report.decision;
  throw new PipelineError(
    'gate_failed',
    `${layer} is not published: ${report.name} ended as ${report.decision.verdict} by ${blockedBy.join(', ') || 'its limits'}. ` +
      `Readers keep the previous version. Read ${report.markdownPath}.`,
    { context: { report: report.markdownPath, blockedBy } },
  );
}

/** The oldest version of the layer that any pin of this run fixed, else that any build of it saw; undefined where none did. */
function basedOnOf(context: TaskContext, layer: PublishedLayer): number | null | undefined {
  const outputs = Object.values(context.outputs);
  const pinned = outputs.flatMap((output: TaskOutput) => {
    const sequence = output.kind === 'pinned' ? output.pinned.publications[layer] : undefined;
    return sequence === undefined ? [] : [sequence ?? 0];
  });
  const seen = outputs.flatMap((output) => {
    if (output.kind !== 'staged' || output.staged.layer !== layer || output.staged.unchanged) return [];
    return output.basedOn === undefined ? [] : [output.basedOn ?? 0];
  });
  const sequences = pinned.length > 0 ? pinned : seen;
  if (sequences.length === 0) return undefined;
  return Math.min(...sequences) || null;
}
