/** One `validate` task -> a written report and its reference; a gate that does not open fails the task. */
import { join } from 'node:path';
import { GateFailedError, PipelineError } from '../core/errors.ts';
import type { TaskContext, TaskHandler } from '../core/ports.ts';
import type { JsonObject, Layer, Report, ReportRef } from '../core/types.ts';
import { DuckDbSession } from '../engine/duckdb-session.ts';
import { counted, someOf } from './figures.ts';
import { type GateOutcome, gate } from './gate.ts';
import type { LayerMeasurement, MeasureDeps, Measuring } from './measure.ts';
import { measureBronze } from './measure-bronze.ts';
import { measureEnriched, measureGold } from './measure-built.ts';
import { measureDims } from './measure-dims.ts';
import { measureSilver } from './measure-silver.ts';
import { inReportOrder } from './measured-result.ts';
import { reportName } from './report/report-name.ts';
import { writeReport } from './report/write-report.ts';

export interface ValidateDeps extends MeasureDeps {
  /** Project root, below which reports are written. */
  readonly root: string;
  readonly duckdb: { readonly memoryLimit: string; readonly threads: number };
}

const MEASURES: { readonly [layer in Layer]: (measuring: Measuring) => Promise<LayerMeasurement> } = {
  bronze: measureBronze,
  silver: measureSilver,
  dims: measureDims,
  enriched: measureEnriched,
  gold: measureGold,
};

/**
 * Measures what the task covers, decides, writes the report, and only then fails where the decision says so. Reads staged and
 * published files, changes none of them; running it again writes the same bytes.
 *
 * @throws GateFailedError `gate_failed` (final): strict, and the layer may not be published
 * @throws PipelineError `gate_undecided` (final): something could not be measured, in any mode
 */
export function createValidateHandler(deps: ValidateDeps): TaskHandler {
  return async (context) => {
    const { layer, tables } = context.task;
    if (layer === null) throw new Error(`validate task ${context.task.id} names no layer`);
    if (tables.length === 0) {
      context.log.info(`${layer} has no table, so there is nothing to validate`);
      return { kind: 'nothing' };
    }
    const measurement = await measure(deps, context, layer);
    const outcome = gate({
      layer,
      mode: modeOf(deps, layer),
      tables,
      results: measurement.results,
      accounts: measurement.tables,
    });
    const report = await composeReport(deps, context, layer, measurement, outcome);
    const place = { root: deps.root, reportDir: context.spec.reportDir };
    const reference = await writeReport(place, report, context.run);
    context.log.info(`${report.name}: ${report.decision.verdict}`, { report: reference.markdownPath });
    if (!report.decision.mayPublish) throw refusal(report, reference, outcome);
    return { kind: 'report', report: reference };
  };
}

async function measure(deps: ValidateDeps, context: TaskContext, layer: Layer): Promise<LayerMeasurement> {
  await using session = await DuckDbSession.open({
    memoryLimit: deps.duckdb.memoryLimit,
    threads: deps.duckdb.threads,
    tempDir: join(context.tempDir, 'duckdb'),
    signal: context.signal,
  });
  // Awaited here, because the session is closed when this function is left.
  return await MEASURES[layer]({ ...deps, context, session });
}

/** A layer that the settings do not name is strict: gates fail closed. */
function modeOf(deps: ValidateDeps, layer: Layer): Report['mode'] {
  return deps.gates.mode[layer] ?? 'strict';
}

async function composeReport(
  deps: ValidateDeps,
  context: TaskContext,
  layer: Layer,
  { results, tables }: LayerMeasurement,
  { decision }: GateOutcome,
): Promise<Report> {
  const { run, spec, task } = context;
  return {
    formatVersion: 1,
    pipeline: spec.pipeline,
    layer,
    name: reportName(
      layer,
      task.tables,
      spec.dims.map((dim) => dim.name),
    ),
    interval: { from: run.firstDay, to: run.runDate },
    mode: modeOf(deps, layer),
    decision,
    tables,
    results: inReportOrder(results),
    // Only a refusal needs it; a report that lets its layer pass would otherwise change with every rerun.
    currentPublication: decision.mayPublish ? null : await currentSequence(deps, layer),
    settings: settingsOf(deps, context, layer),
  };
}

async function currentSequence(deps: ValidateDeps, layer: Layer): Promise<number | null> {
  return (await deps.publications.current(layer === 'bronze' ? 'silver' : layer))?.sequence ?? null;
}

function settingsOf(deps: ValidateDeps, { run, spec }: TaskContext, layer: Layer): JsonObject {
  if (layer !== 'silver') return { dag: run.dagId };
  return {
    dag: run.dagId,
    max_quarantine_pct: spec.maxQuarantinePct,
    max_row_loss_pct: spec.maxRowLossPct,
    strict_foreign_keys: deps.gates.strictForeignKeys,
  };
}

function refusal(report: Report, reference: ReportRef, { undecided }: GateOutcome): PipelineError {
  const names = someOf(undecided.length > 0 ? undecided : report.decision.blockedBy, 5);
  const readers =
    report.layer === 'bronze' ? 'Nothing is built from it' : 'Nothing is published, and readers keep what they see';
  if (report.mode === 'strict') {
    return new GateFailedError(
      `The ${report.layer} gate is closed by ${counted(report.decision.blockedBy.length, 'check')}: ${names}. ` +
        `${readers}. Read ${reference.runMarkdownPath}, correct the data or the limits, then clear this task.`,
      reference,
    );
  }
  return new PipelineError(
    'gate_undecided',
    `The ${report.layer} gate could not decide: ${names}. ${readers}. ` +
      `Read ${reference.runMarkdownPath}, deliver what is missing or unreadable, then rerun.`,
    { context: { report: reference.markdownPath } },
  );
}
