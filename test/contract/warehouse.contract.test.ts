/** The warehouse contract on the embedded warehouse and on the BigQuery stand-in, and what is only true of a file. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { asPipelineError } from '../../core/errors.ts';
import type { Warehouse } from '../../core/ports.ts';
import { DuckDbSession } from '../../engine/duckdb-session.ts';
import { openDuckDbWarehouse } from '../../serving/duckdb/warehouse.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';
import { hasCode, rows, SALES, type WarehouseAdapter, warehouseContract } from './warehouse-contract.ts';
import { PATHS_AS_KEYS, textOf, type WrittenPartition, writePartition } from './warehouse-files.ts';
import { withSandboxWarehouse } from './warehouse-sandbox.ts';

const pathIn = (folder: string): string => join(folder, 'warehouse.duckdb');
const openIn = (folder: string): Promise<Warehouse> =>
  openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, threads: 1, lockWaitMs: 0 });

async function readIn(folder: string, query: string): Promise<readonly Record<string, string | null>[]> {
  await using session = await DuckDbSession.open({ path: pathIn(folder) });
  return (await session.rows(query)).map(textOf);
}

const duckdb: WarehouseAdapter = {
  name: 'duckdb',
  startOver: /move the warehouse file away/,
  with: (work) =>
    withTempFolder((folder) =>
      work({
        folder,
        open: () => openIn(folder),
        // NULL first, as GoogleSQL sorts.
        read: async (query) => readIn(folder, `SET default_null_order = 'nulls_first'; ${query}`),
        stage: async (def, value, query) => {
          const { partition, localPath } = await writePartition(folder, def, value, query);
          return { partition, shown: localPath };
        },
        damage: ({ shown }) => writeFile(shown, 'cut in half'),
        leftovers: async () =>
          (
            await readIn(
              folder,
              "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '%build%' AND schema_name = 'gold'",
            )
          ).map(({ table_name }) => table_name ?? ''),
      }),
    ),
};

const bigquery: WarehouseAdapter = {
  name: 'bigquery',
  startOver: /drop the table/,
  with: (work) => withSandboxWarehouse({}, work),
};

warehouseContract(duckdb);
warehouseContract(bigquery);

const first = (folder: string): Promise<WrittenPartition> =>
  writePartition(folder, SALES, '2025-01-01', rows('2025-01-01', [1, '10.00'], [2, '0.05']));

describe('the DuckDB file', () => {
  const writer = fileURLToPath(new URL('./warehouse-writer.js', import.meta.url));

  test('a file held by another process is unavailable, retryable, and names file and holder; a killed holder lets go', async () => {
    await withTempFolder(async (folder) => {
      const child = spawn(process.execPath, [writer, pathIn(folder), '[]', 'hold'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await assert.rejects(openIn(folder), (thrown) => {
        const error = asPipelineError(thrown);
        assert.equal(error.code, 'warehouse_unavailable');
        assert.equal(error.retryable, true);
        assert.match(error.message, new RegExp(pathIn(folder)));
        assert.match(error.message, new RegExp(`PID ${child.pid}`));
        return true;
      });
      child.kill('SIGKILL');
      const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, lockWaitMs: 5_000 });
      await warehouse.close();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
  });

  test('a kill in the middle of loading leaves one version of the partition or the other, and the ledger says which', async () => {
    await withTempFolder(async (folder) => {
      const many = (from: number) =>
        `SELECT DATE '2025-01-01' AS day, (${from} + i)::BIGINT AS product, 1.00::DECIMAL(18,2) AS amount FROM range(20000) AS t(i)`;
      const versions = [
        await writePartition(folder, SALES, '2025-01-01', many(0)),
        await writePartition(folder, SALES, '2025-01-01', many(1_000_000)),
      ];
      for (const pauseMs of [3, 11]) {
        const child = spawn(process.execPath, [writer, pathIn(folder), JSON.stringify(versions), 'write'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let text = '';
        for await (const chunk of child.stdout) {
          text += String(chunk);
          if (!text.includes('loaded\nloaded')) continue;
          await wait(pauseMs);
          child.kill('SIGKILL');
        }
        const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS });
        const ledger = (await warehouse.loaded('enriched', 'sales')) as ReadonlyMap<string, string>;
        await warehouse.close();
        const [seen] = await readIn(
          folder,
          'SELECT count(*) AS n, min(product) AS low, max(product) AS high FROM enriched.sales',
        );
        const isFirst = ledger.get('2025-01-01') === versions[0]?.partition.fingerprint;
        assert.deepEqual(
          seen,
          isFirst ? { n: '20000', low: '0', high: '19999' } : { n: '20000', low: '1000000', high: '1019999' },
        );
      }
    });
  });

  test('the same process cannot open it twice', async () => {
    await withTempFolder(async (folder) => {
      const warehouse = await openIn(folder);
      await assert.rejects(openIn(folder), hasCode('warehouse_unavailable', /this process/));
      await warehouse.close();
      await (await openIn(folder)).close();
    });
  });

  test('a file that is no database is named, with what to do', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(pathIn(folder), 'this is no database, but it is long enough to be read as one '.repeat(200));
      await assert.rejects(openIn(folder), hasCode('warehouse_rejected', new RegExp(pathIn(folder)), /Move it away/));
    });
  });

  test('a cancel ends the work and leaves what was there', async () => {
    await withTempFolder(async (folder) => {
      const cancel = new AbortController();
      const warehouse = await openDuckDbWarehouse({ path: pathIn(folder), lake: PATHS_AS_KEYS, signal: cancel.signal });
      await warehouse.loadPartitions(SALES, [(await first(folder)).partition], []);
      const newer = await writePartition(folder, SALES, '2025-01-01', rows('2025-01-01', [9, '9.00']));
      cancel.abort();
      await assert.rejects(warehouse.loadPartitions(SALES, [newer.partition], []), hasCode('task_cancelled'));
      await warehouse.close();
      assert.deepEqual(await readIn(folder, 'SELECT sum(product) AS s FROM enriched.sales'), [{ s: '3' }]);
    });
  });
});
