/** The lake's store -> what is known of each table in BigQuery: one object a table, changed by compare-and-set. */
import { PipelineError } from '../../core/errors.ts';
import type { Clock, ObjectStore, Precondition, WarehouseUse } from '../../core/ports.ts';
import { type LedgerOf, newLedger, type TableLedger } from './ledger-entries.ts';
import type { TableRef } from './resources.ts';

export interface LedgerOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly use: Pick<WarehouseUse, 'run' | 'task'>;
  /** Pause before a repeat; ends with the task. */
  readonly backOff: (attempt: number, key: string) => Promise<void>;
}

interface Seen {
  readonly ledger: TableLedger | null;
  readonly body: Uint8Array | null;
  readonly condition: Precondition;
}

const PREFIX = '_warehouse/';
const MAX_TRIES = 30;

/**
 * `_warehouse/<dataset id>/<table>.json`. A table without one has nothing loaded that is known of; one that cannot be read is an
 * error, never "nothing".
 */
export class BigQueryLedger {
  readonly #options: LedgerOptions;
  /** As it was last read or written here. A change begins with it: where it is not so any more, its condition fails. */
  readonly #seen = new Map<string, Seen>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** What stands there now; null where nothing was ever noted. */
  async read(table: TableRef): Promise<TableLedger | null> {
    return (await this.#look(table)).ledger;
  }

  /**
   * `change` is applied to what stands there, again where another was faster. Returns what was written.
   *
   * @throws PipelineError `storage_unavailable` (retryable) where others are always faster
   */
  async update(table: TableRef, change: (ledger: TableLedger) => TableLedger): Promise<TableLedger> {
    const { store, backOff } = this.#options;
    const key = keyOf(table);
    const known = this.#seen.get(key);
    let seen = known ?? (await this.#look(table));
    // What was seen some time ago may be long out of date: that it is costs no pause.
    for (let tries = known === undefined ? 1 : 0; ; tries += 1) {
      const before = seen.ledger ?? this.#begin(table);
      const after = { ...change(before), sequence: before.sequence + 1 };
      const body = Buffer.from(`${JSON.stringify(after, null, 1)}\n`);
      try {
        const { generation } = await store.write(key, body, seen.condition);
        this.#seen.set(key, { ledger: after, body, condition: { generation } });
        return after;
      } catch (thrown) {
        if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
        seen = await this.#look(table);
        // A lost reply looks the same as a lost race.
        if (seen.body !== null && body.equals(seen.body)) return after;
        if (tries === MAX_TRIES) throw tooBusy(store, key, thrown);
        if (tries > 0) await backOff(Math.min(tries, 3), `${key} ${this.#seed()}`);
      }
    }
  }

  async #look(table: TableRef): Promise<Seen> {
    const key = keyOf(table);
    const found = await this.#options.store.read(key);
    const seen: Seen =
      found === null
        ? { ledger: null, body: null, condition: 'absent' }
        : { ledger: this.#parse(table, found.body), body: found.body, condition: { generation: found.generation } };
    this.#seen.set(key, seen);
    return seen;
  }

  /** `dataset.table` of all that were ever noted, for did-you-mean. */
  async known(): Promise<readonly { readonly datasetId: string; readonly table: string }[]> {
    const tables: { datasetId: string; table: string }[] = [];
    for await (const { key } of this.#options.store.list(PREFIX)) {
      const match = /^_warehouse\/([^/]+)\/([^/]+)\.json$/.exec(key);
      if (match?.[1] !== undefined && match[2] !== undefined) tables.push({ datasetId: match[1], table: match[2] });
    }
    return tables;
  }

  #begin(table: TableRef): TableLedger {
    return newLedger(ledgerOf(table), this.#seed());
  }

  #seed(): string {
    const { clock, use } = this.#options;
    return [clock.now(), use.run.runId, use.task.id, process.pid].join(' ');
  }

  #parse(table: TableRef, body: Uint8Array): TableLedger {
    const { store } = this.#options;
    const ledger = parseJson(body);
    if (ledger?.formatVersion !== 1) {
      const where = `${store.displayName}${keyOf(table)}`;
      throw new PipelineError(
        'data_unreadable',
        `${where}, which tells what BigQuery has loaded, is not readable by this version. Delete it: the next load then replaces every partition of ${table.tableId} by what is published.`,
        { context: { key: keyOf(table) } },
      );
    }
    // Of another project: nothing here says what this one has.
    return ledger.project === table.projectId ? ledger : { ...this.#begin(table), sequence: ledger.sequence };
  }
}

const keyOf = ({ datasetId, tableId }: TableRef): string => `${PREFIX}${datasetId}/${tableId}.json`;

const ledgerOf = ({ projectId, datasetId, tableId }: TableRef): LedgerOf => ({
  project: projectId,
  dataset: datasetId,
  table: tableId,
});

function parseJson(body: Uint8Array): TableLedger | null {
  try {
    return JSON.parse(Buffer.from(body).toString()) as TableLedger;
  } catch {
    return null;
  }
}

function tooBusy(store: ObjectStore, key: string, cause: unknown): PipelineError {
  return new PipelineError(
    'storage_unavailable',
    `${store.displayName}${key} was changed by others in each of ${MAX_TRIES} tries to change it. The task is tried again.`,
    { context: { key }, cause },
  );
}
