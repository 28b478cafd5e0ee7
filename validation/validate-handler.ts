/** One `validate` task -> a written report and its reference; a gate that does not open fails the task. */
import { join } from 'node:path';
import { GateFailedError, PipelineError } from '../core/errors.ts';
import type { AcceptanceReader, TaskContext, TaskHandler } from '../core/ports.ts';
import type { Acceptance, JsonObject, Layer, Report, ReportRef } from '../core/types.ts';
import { DuckDbSession } from '../engine/duckdb-session.ts';
import { counted, someOf } from './figures.ts';
import { type GateInput, type GateOutcome, gate, gateAccepted } from './gate.ts';
import { tablesToHold } from './held-tables.ts';
import type { LayerMeasurement, MeasureDeps, Measuring } from './measure.ts';
import { measureBronze } from './measure-bronze.ts';
import { measureEnriched, measureGold } from './measure-built.ts';
import { measureDims } from './measure-dims.ts';
import { measureSilver } from './measure-silver.ts';
import { inReportOrder } from './measured-result.ts';
import { failuresDigest } from './report/render-results.ts';
import { reportName } from './report/report-name.ts';
import { writeReport } from './report/write-report.ts';
import { withReviewFacts } from './review-facts.ts';

export interface ValidateDeps extends MeasureDeps {
  readonly acceptances: AcceptanceReader;
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
 * Measures what the task covers, decides, writes the report, and only then fails where the decision says so. A closed gate
 * lets pass what somebody accepted as it was measured, or what `gates.on_fail` does not keep back. Reads staged and published
 * files, changes none of them; running it again writes the same bytes.
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
    const input = gateInput(deps, layer, measurement, tables);
    const asMeasured = gate(input);
    const measured = composeReport(deps, context, layer, input.results, measurement.tables, asMeasured);
    const accepted = await acceptance(deps, context, measured, input);
    const outcome =
      accepted === null
        ? asMeasured
        : gateAccepted(asMeasured, gateInput(deps, layer, measurement, tables, accepted.held), accepted);
    const place = { root: deps.root, reportDir: context.spec.reportDir };
    const decided = await withReaders(deps, { ...measured, decision: outcome.decision });
    const report = await withReviewFacts(place, context, decided, {
      accept: asMeasured.undecided.length === 0,
      hold: holdable(context, input, (held) => gateInput(deps, layer, measurement, tables, held)),
    });
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

/** What the gate is asked about the tables that are not held. */
function gateInput(
  deps: ValidateDeps,
  layer: Layer,
  measurement: LayerMeasurement,
  covered: readonly string[],
  held: readonly string[] = [],
): GateInput & Pick<LayerMeasurement, 'results'> {
  const isLeft = ({ table }: { readonly table: string }): boolean => !held.includes(table);
  const accounts = measurement.tables.filter(isLeft);
  return {
    layer,
    mode: modeOf(deps, layer),
    tables: covered.filter((table) => !held.includes(table)),
    results: [...measurement.results.filter(isLeft), ...(measurement.overall?.(accounts) ?? [])],
    accounts,
  };
}

/** What lets this report pass its closed gate: a word that somebody gave to it, else the settings; null where neither does. */
async function acceptance(
  deps: ValidateDeps,
  { run, spec }: TaskContext,
  report: Report,
  input: GateInput,
): Promise<Acceptance | null> {
  const { layer, decision } = report;
  if (decision.mayPublish || layer === 'bronze') return null;
  const word = await deps.acceptances.accepted(layer, run, report.name, failuresDigest(report));
  if (word !== null || report.mode !== 'strict' || deps.gates.onFail === 'hold_layer') return word;
  const held = tablesToHold(spec, layer, input);
  return held === null ? null : { by: 'gates.on_fail', because: 'hold_descendants', held };
}

/** The tables without which the others would pass; empty where the DAG publishes nothing, or where that would not open the gate. */
function holdable(
  { spec, run }: TaskContext,
  input: GateInput,
  without: (held: readonly string[]) => GateInput,
): readonly string[] {
  if (input.layer === 'bronze') return [];
  const tasks = spec.dags.find((dag) => dag.id === run.dagId)?.tasks;
  if (tasks?.every(({ kind, layer }) => kind !== 'publish' || layer !== input.layer)) return [];
  const held = tablesToHold(spec, input.layer, input);
  return held !== null && gate(without(held)).decision.mayPublish ? held : [];
}

/** A layer that the settings do not name is strict: gates fail closed. */
function modeOf(deps: ValidateDeps, layer: Layer): Report['mode'] {
  return deps.gates.mode[layer] ?? 'strict';
}

function composeReport(
  deps: ValidateDeps,
  context: TaskContext,
  layer: Layer,
  results: LayerMeasurement['results'],
  tables: LayerMeasurement['tables'],
  { decision }: GateOutcome,
): Report {
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
    currentPublication: null,
    settings: settingsOf(deps, context, layer),
  };
}

/** Only a refusal needs it; a report that lets its layer pass would otherwise change with every rerun. */
async function withReaders(deps: ValidateDeps, report: Report): Promise<Report> {
  return report.decision.mayPublish
    ? report
    : { ...report, currentPublication: await currentSequence(deps, report.layer) };
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
        `${readers}. Read ${reference.runMarkdownPath}, then correct the data or the limits and clear this task${
          report.layer === 'bronze' ? '' : `, or let it pass: assay publish ${report.layer} --because …`
        }.`,
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
