/** An earlier report and the results of a later one -> what changed: the part that a daily reader reads first. Pure. */
import type { CheckResult, CheckState, JsonObject, JsonValue, Report, ReportChange } from '../../core/types.ts';
import { compareText } from '../measured-result.ts';
import { outcomeWords } from './outcome-words.ts';

type ComparedResult = Pick<CheckResult, 'table' | 'checkId' | 'state' | 'expected' | 'observed'>;

/** The parts of a report that a later one is compared with. */
export interface ComparedReport extends Pick<Report, 'interval' | 'mode'> {
  readonly decision: Parameters<typeof outcomeWords>[0];
  readonly settings: JsonObject;
  readonly results: readonly ComparedResult[];
}

/** Checks about columns: told as drift, and their warnings not told again. */
const SCHEMA_CHECKS: readonly string[] = [
  'columns',
  'column_types',
  'missing_columns',
  'optional_column_types',
  'required_columns',
  'schema_change',
  'schema_drift',
  'undeclared_columns',
];

/** Checks of ours that have a result only where they found something: without one, nothing is wrong any more. */
const SILENT_WHEN_SOUND: readonly string[] = ['partition_vanished', 'readable', 'schema_change', 'staged'];

export function compareReports(
  before: ComparedReport,
  now: Pick<Report, 'layer' | 'mode' | 'settings'> & { readonly results: readonly ComparedResult[] },
): ReportChange {
  const earlier = new Map(before.results.map((result) => [keyOf(result), result]));
  const later = new Map(now.results.map((result) => [keyOf(result), result]));
  const stateBefore = (result: ComparedResult): CheckState | undefined => earlier.get(keyOf(result))?.state;
  const reference = (result: ComparedResult): string => `${now.layer}.${keyOf(result)}`;
  const sorted = (results: readonly ComparedResult[]): readonly string[] => results.map(reference).sort(compareText);
  const failed = now.results.filter((result) => result.state === 'FAIL');
  const failedBefore = before.results.filter((result) => result.state === 'FAIL');
  const evaluated = new Set(now.results.filter((r) => r.state !== 'NOT EVALUATED').map((r) => r.table));
  const isSound = (result: ComparedResult): boolean => {
    const state = later.get(keyOf(result))?.state;
    if (state !== undefined) return state === 'PASS' || state === 'WARN';
    return SILENT_WHEN_SOUND.includes(result.checkId) && evaluated.has(result.table);
  };
  return {
    kind: 'compared',
    interval: before.interval,
    outcome: outcomeWords(before.decision),
    newFailures: sorted(failed.filter((result) => stateBefore(result) !== 'FAIL')),
    stillFailing: failed
      .filter((result) => stateBefore(result) === 'FAIL')
      .map((result) => ({
        check: reference(result),
        observed: result.observed,
        before: earlier.get(keyOf(result))?.observed ?? '',
      }))
      .sort((a, b) => compareText(a.check, b.check)),
    fixed: sorted(failedBefore.filter(isSound)),
    newWarnings: sorted(
      now.results.filter(
        (result) =>
          result.state === 'WARN' &&
          !['WARN', 'FAIL'].includes(stateBefore(result) ?? '') &&
          !SCHEMA_CHECKS.includes(result.checkId),
      ),
    ),
    silent: sorted(
      now.results.filter(
        (result) => result.state === 'NOT EVALUATED' && (stateBefore(result) ?? 'NOT EVALUATED') !== 'NOT EVALUATED',
      ),
    ),
    dropped: sorted(failedBefore.filter((result) => !later.has(keyOf(result)) && !isSound(result))),
    schemaDrift: now.results
      .filter(
        (result) =>
          SCHEMA_CHECKS.includes(result.checkId) &&
          (result.state === 'WARN' || result.state === 'FAIL') &&
          earlier.get(keyOf(result))?.observed !== result.observed,
      )
      .map((result) => ({ check: reference(result), observed: result.observed }))
      .sort((a, b) => compareText(a.check, b.check)),
    settings: [...changedSettings(before, now), ...changedLimits(earlier, now.results, reference)],
  };
}

function keyOf(result: Pick<CheckResult, 'table' | 'checkId'>): string {
  return `${result.table}.${result.checkId}`;
}

function changedSettings(
  before: Pick<ComparedReport, 'mode' | 'settings'>,
  now: Pick<Report, 'mode' | 'settings'>,
): { readonly name: string; readonly from: string; readonly to: string }[] {
  const [from, to]: JsonObject[] = [before, now].map(({ mode, settings }) => ({ ...settings, mode }));
  return [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])]
    .sort(compareText)
    .map((name) => ({ name, from: settingText(from?.[name]), to: settingText(to?.[name]) }))
    .filter((setting) => setting.from !== setting.to);
}

/** A setting's value as reports print it. */
export function settingText(value: JsonValue | undefined): string {
  if (value === undefined) return 'not set';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What is expected of some checks is a count of their data, which is no limit. */
const LIMIT = /^[≥≤<>] |^0 (rows|columns)/;

function changedLimits(
  earlier: ReadonlyMap<string, ComparedResult>,
  results: readonly ComparedResult[],
  reference: (result: ComparedResult) => string,
): { readonly name: string; readonly from: string; readonly to: string }[] {
  return results
    .flatMap((result) => {
      const from = earlier.get(keyOf(result))?.expected ?? '';
      const isChanged = from !== result.expected && LIMIT.test(from) && LIMIT.test(result.expected);
      return isChanged ? [{ name: reference(result), from, to: result.expected }] : [];
    })
    .sort((a, b) => compareText(a.name, b.name));
}
