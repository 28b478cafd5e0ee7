/** A mart and the fingerprints of its loaded inputs -> which of its partitions should hold what, and which must be built. Pure. */
import { fingerprint } from '../../core/fingerprint.ts';
import { windowColumnsOf } from '../../core/google-sql.ts';
import { isDay } from '../../core/partition.ts';
import type { MartSpec } from '../../core/spec.ts';

/** Raised where the same query would be computed otherwise than before: all marts are then rebuilt. */
const ENGINE_VERSION = 1;

/** What the warehouse has of one input: fingerprint by partition. */
export interface MartInput {
  readonly layer: string;
  readonly table: string;
  readonly partitionKey: string | null;
  readonly loaded: ReadonlyMap<string, string>;
}

/** Partition -> hash of everything that decides its rows: query, columns, and the input partitions that it reads. */
export type Contents = { readonly [partition: string]: string };

export type MartContents =
  /** The mart is partitioned by day and each day reads known partitions of its inputs. */
  | { readonly kind: 'days'; readonly contents: Contents }
  /** Not partitioned, or no input tells which days it has: everything is computed from everything. */
  | { readonly kind: 'whole'; readonly fingerprint: string };

type Reads = MartSpec['reads'][string];

/** Hash of all but the data. */
export function logicFingerprint(mart: MartSpec): string {
  return fingerprint({
    version: ENGINE_VERSION,
    sql: mart.sql,
    columns: mart.columns.map(({ name, type }) => [name, type]),
    grain: mart.grain,
    partitionKey: mart.partitionKey,
    reads: mart.reads,
  });
}

export function expectedContents(mart: MartSpec, inputs: readonly MartInput[]): MartContents {
  const logic = logicFingerprint(mart);
  const readings = inputs.map((input) => ({ input, reads: readsOf(mart, input) }));
  const dayInputs = readings.filter(({ reads }) => reads === 'same_day');
  if (mart.partitionKey === null || dayInputs.length === 0) {
    return {
      kind: 'whole',
      fingerprint: fingerprint([logic, readings.map(({ input, reads }) => wholeReading(input, reads))]),
    };
  }
  const days = [...new Set(dayInputs.flatMap(({ input }) => [...input.loaded.keys()].filter(isDay)))].sort();
  const read = readings.map(({ input, reads }) => reader(input, reads));
  return {
    kind: 'days',
    contents: Object.fromEntries(
      days.map((day) => [day, fingerprint([logic, read.map((partitionsFor) => partitionsFor(day))])]),
    ),
  };
}

/**
 * As the mart declares. Where it declares nothing: the same day of an input whose partition column the query compares with
 * the window, and all of any other input.
 */
export function readsOf(mart: MartSpec, input: Pick<MartInput, 'layer' | 'table' | 'partitionKey'>): Reads {
  const declared = mart.reads[`${input.layer}.${input.table}`] ?? mart.reads[input.table];
  if (declared) return declared;
  const key = input.partitionKey?.toLowerCase() ?? '';
  const isBound = mart.partitionKey !== null && windowColumnsOf(mart.sql).has(key);
  return isBound ? 'same_day' : 'all';
}

/** What a day of the mart reads of an input, as `[partition, fingerprint]`. */
function reader(input: MartInput, reads: Reads): (day: string) => unknown {
  const values = [...input.loaded.keys()].filter(isDay).sort();
  const entry = (value: string | undefined) => (value === undefined ? null : [value, input.loaded.get(value)]);
  switch (reads) {
    case 'same_day':
      return (day) => input.loaded.get(day) ?? null;
    case 'next_snapshot':
      return (day) => entry(values.find((value) => value >= day));
    case 'latest_snapshot':
    case 'all': {
      const whole = wholeReading(input, reads);
      return () => whole;
    }
  }
}

function wholeReading(input: MartInput, reads: Reads): unknown {
  if (reads !== 'latest_snapshot') return [...input.loaded.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  const latest = [...input.loaded.keys()].sort().at(-1);
  return latest === undefined ? null : [latest, input.loaded.get(latest)];
}

/** Partitions that are not as expected in the warehouse, or not in what readers of the lake see. */
export function partitionsToBuild(expected: Contents, ...actual: readonly Contents[]): readonly string[] {
  return Object.keys(expected)
    .filter((partition) => actual.some((contents) => contents[partition] !== expected[partition]))
    .sort();
}
