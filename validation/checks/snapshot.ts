/** A dim's snapshot and the run's date -> whether it is there, fresh, filled and complete. Pure. */
import { DAY_MS } from '../../core/partition.ts';
import type { DimSpec } from '../../core/spec.ts';
import type { Day } from '../../core/types.ts';
import { counted, someOf } from '../figures.ts';
import { type CheckHead, type MeasuredResult, measured } from '../measured-result.ts';

export interface SnapshotFacts {
  readonly day: Day;
  /** True for one that is younger than the run's date, because there is none before it. */
  readonly isBootstrap: boolean;
  readonly rows: number;
  readonly runDate: Day;
  /** Required columns that it lacks. */
  readonly missingColumns: readonly string[];
}

export function snapshotChecks(dim: DimSpec, owner: string, facts: SnapshotFacts): readonly MeasuredResult[] {
  const { day, isBootstrap, missingColumns, rows, runDate } = facts;
  const found = `${dim.snapshotPartitionKey}=${day}`;
  return [
    measured(presence(dim, owner), { state: 'PASS', observed: found, totalRows: rows }),
    measured(
      head(dim, owner, 'bootstrap', 'warn', 'The snapshot is not younger than the run’s date.', `≤ ${runDate}`),
      isBootstrap
        ? {
            state: 'WARN',
            observed: found,
            note: 'There is no snapshot on or before the run’s date, so the earliest stands in: it may know what was not known then.',
          }
        : { state: 'PASS', observed: found },
    ),
    measured(
      head(
        dim,
        owner,
        'snapshot_fresh',
        'fail',
        'The snapshot is fresh enough.',
        `< ${counted(dim.freshnessHours, 'hour')} old`,
      ),
      isFresh(dim, day, runDate)
        ? { state: 'PASS', observed: found }
        : { state: 'FAIL', observed: found, note: `Run the DAG that refreshes dims.${dim.name} for ${runDate}.` },
    ),
    measured(head(dim, owner, 'snapshot_filled', 'fail', 'The snapshot holds rows.', '≥ 1 row'), {
      state: rows > 0 ? 'PASS' : 'FAIL',
      observed: counted(rows, 'row'),
      totalRows: rows,
    }),
    measured(
      head(dim, owner, 'required_columns', 'fail', 'The snapshot has the columns that silver requires.', 'all'),
      missingColumns.length === 0
        ? { state: 'PASS', observed: 'all' }
        : { state: 'FAIL', observed: `no ${someOf(missingColumns, 5)}` },
    ),
  ];
}

export function snapshotMissing(dim: DimSpec, owner: string, runDate: Day): MeasuredResult {
  return measured(presence(dim, owner), {
    state: 'FAIL',
    observed: 'no snapshot',
    note: `Run the DAG that refreshes dims.${dim.name} for ${runDate}.`,
  });
}

/** Fresh is `(D − freshness, D]`, counted from day to day; a younger one is told by `bootstrap`. */
function isFresh(dim: DimSpec, day: Day, runDate: Day): boolean {
  const ageHours = ((Date.parse(runDate) - Date.parse(day)) / DAY_MS) * 24;
  return ageHours < dim.freshnessHours;
}

function presence(dim: DimSpec, owner: string): CheckHead {
  return head(dim, owner, 'snapshot_present', 'fail', 'There is a snapshot that this run can read.', 'a snapshot');
}

function head(
  dim: DimSpec,
  owner: string,
  checkId: string,
  severity: CheckHead['severity'],
  description: string,
  expected: string,
): CheckHead {
  return { checkId, table: dim.name, owner, severity, description, expected };
}
