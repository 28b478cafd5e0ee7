/** Publishing one version after the other: what readers see, what a repeat does, what is refused. */
import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PipelineError } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/ports.ts';
import type { Publication } from '../../core/types.ts';
import { crc32cOf } from '../../storage/crc32c.ts';
import { openLocalStore } from '../../storage/local/store.ts';
import { openPublications, type Publications } from '../../storage/publications.ts';
import { type RequestWords, stageRequest } from '../fixtures-support/staged-table.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

interface Lake {
  readonly root: string;
  readonly store: ObjectStore;
  readonly publications: Publications;
  publish(words: RequestWords): ReturnType<Publications['publish']>;
}

const withLake = (work: (lake: Lake) => Promise<void>): Promise<void> =>
  withTempFolder((root) => {
    const store = openLocalStore({ root });
    const publications = openPublications({ store, pipeline: 'shop', clock: { now: () => Date.UTC(2025, 9, 16) } });
    return work({
      root,
      store,
      publications,
      publish: async (words) => publications.publish(await stageRequest(store, words)),
    });
  });

const withCode =
  (code: string, pattern?: RegExp) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof PipelineError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    if (pattern) assert.match(thrown.message, pattern);
    return true;
  };

const partitionsOf = (publication: Publication | null, table: string): string[] =>
  Object.keys(publication?.tables[table]?.partitions ?? {});

async function sequences(publications: Publications): Promise<number[]> {
  const found: number[] = [];
  for await (const { sequence } of publications.history('silver')) found.push(sequence);
  return found;
}

describe('publish', () => {
  test('a layer nobody published has no current version and no files', () =>
    withLake(async ({ publications }) => {
      assert.equal(await publications.current('silver'), null);
      await assert.rejects(publications.at('silver', 1), withCode('publication_not_found'));
      await assert.rejects(publications.files('silver', 'orders'), withCode('publication_not_found', /silver\.orders/));
      assert.deepEqual(await sequences(publications), []);
    }));

  test('touched partitions are replaced, others referenced, removed ones dropped', () =>
    withLake(async ({ publications, publish }) => {
      const first = await publish({
        run: 'r1',
        tables: [{ table: 'orders', partitions: { '01': 'a', '02': 'b', '03': 'c' } }],
      });
      assert.deepEqual(first, { layer: 'silver', sequence: 1, touched: { orders: ['01', '02', '03'] }, moved: true });
      const second = await publish({
        run: 'r2',
        tables: [{ table: 'orders', partitions: { '02': 'B', '04': 'd' }, removed: ['03'] }],
      });
      assert.deepEqual(second.touched, { orders: ['02', '03', '04'] });
      const [before, after] = [await publications.at('silver', 1), await publications.current('silver')];
      assert.deepEqual(partitionsOf(after, 'orders'), ['01', '02', '04']);
      assert.deepEqual(after?.tables.orders?.partitions['01'], before.tables.orders?.partitions['01']);
      assert.notDeepEqual(after?.tables.orders?.partitions['02'], before.tables.orders?.partitions['02']);
      const files = await publications.files('silver', 'orders');
      assert.deepEqual(
        files.map(({ key }) => key.split('/')[2]),
        ['dag.r1', 'dag.r2', 'dag.r2'],
      );
    }));

  test('a table replaced whole keeps no partition that was not staged', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a', '02': 'b' } }] });
      const ref = await publish({ run: 'r2', tables: [{ table: 't', partitions: { '02': 'b' }, replacesAll: true }] });
      assert.deepEqual(ref.touched, { t: ['01'] });
      assert.deepEqual(partitionsOf(await publications.current('silver'), 't'), ['02']);
    }));

  test('the pointer stays where all tables are unchanged, or have the content that is published', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const pointer = await readFile(join(root, 'silver/_latest.json'));
      const unchanged = await publish({
        run: 'r2',
        tables: [{ table: 't', partitions: { '01': 'a' }, unchanged: true }],
      });
      const same = await publish({ run: 'r3', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      for (const ref of [unchanged, same]) {
        assert.deepEqual(ref, { layer: 'silver', sequence: 1, touched: {}, moved: false });
      }
      assert.deepEqual(await readFile(join(root, 'silver/_latest.json')), pointer);
      assert.deepEqual(await sequences(publications), [1]);
    }));

  test('an unchanged table that readers do not know yet is published', () =>
    withLake(async ({ publications, publish }) => {
      const ref = await publish({ run: 'r1', tables: [{ table: 't', unchanged: true }] });
      assert.equal(ref.moved, true);
      assert.deepEqual((await publications.current('silver'))?.tables.t?.partitions, {});
    }));

  test('inputs accumulate, and a new input without new rows is remembered in a version that touches nothing', () =>
    withLake(async ({ publications, publish }) => {
      const record = (fingerprint: string) => ({
        fingerprint,
        account: { input: 0, output: 0, quarantined: 0, duplicates: 0, filtered: 0, replaced: 0, byReason: {} },
        wrote: [],
      });
      const partitions = { '01': 'a' };
      await publish({ run: 'r1', tables: [{ table: 't', partitions, inputs: { day1: record('x') } }] });
      const ref = await publish({ run: 'r2', tables: [{ table: 't', partitions, inputs: { day2: record('y') } }] });
      assert.deepEqual(ref, { layer: 'silver', sequence: 2, touched: {}, moved: true });
      const { inputs } = (await publications.current('silver'))?.tables.t ?? {};
      assert.deepEqual(Object.keys(inputs ?? {}), ['day1', 'day2']);
    }));

  test('quarantined rows are kept by run, also of runs whose partitions were replaced since', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' }, quarantine: 'bad 1' }] });
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' }, quarantine: 'bad 2' }] });
      const { quarantine } = (await publications.current('silver'))?.tables.t ?? {};
      assert.deepEqual(Object.keys(quarantine ?? {}), ['r1', 'r2']);
      assert.equal(quarantine?.r1?.length, 1);
    }));

  test('a repeat gives the same reference, also after another run has published', () =>
    withLake(async ({ publications, publish }) => {
      const words = { run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] };
      const first = await publish({ ...words, basedOn: null });
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' } }] });
      assert.deepEqual(await publish({ ...words, basedOn: null }), first);
      assert.deepEqual(await publish(words), first);
      assert.deepEqual(await sequences(publications), [2, 1]);
      assert.equal((await publications.current('silver'))?.runId, 'r2');
    }));

  test('the same run with other content publishes again', () =>
    withLake(async ({ publish }) => {
      await publish({ run: 'r1', basedOn: null, tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const ref = await publish({ run: 'r1', basedOn: null, tables: [{ table: 't', partitions: { '02': 'b' } }] });
      assert.deepEqual([ref.sequence, ref.touched], [2, { t: ['02'] }]);
    }));

  test('a run built on an older version is laid over a newer one that touched other partitions', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await publish({ run: 'r2', basedOn: 1, tables: [{ table: 't', partitions: { '02': 'b' } }] });
      await publish({ run: 'r3', basedOn: 1, tables: [{ table: 't', partitions: { '03': 'c' } }] });
      assert.deepEqual(partitionsOf(await publications.current('silver'), 't'), ['01', '02', '03']);
    }));

  test('a run is refused where a newer version touched its partitions, or a table that it read', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await publish({ run: 'r2', basedOn: 1, tables: [{ table: 't', partitions: { '02': 'b' } }] });
      const late = { run: 'r3', basedOn: 1 };
      const refused = withCode('publish_conflict', /t \(02\), by run r2 in version 2/);
      await assert.rejects(publish({ ...late, tables: [{ table: 't', partitions: { '02': 'x' } }] }), refused);
      await assert.rejects(publish({ ...late, tables: [{ table: 't', removed: ['02'] }] }), refused);
      await assert.rejects(publish({ ...late, tables: [{ table: 't', replacesAll: true }] }), refused);
      await assert.rejects(
        publish({ ...late, reads: ['t'], tables: [{ table: 't', partitions: { '03': 'x' } }] }),
        refused,
      );
      await publish({ ...late, reads: ['u'], tables: [{ table: 'u', partitions: { '02': 'x' } }] });
      assert.deepEqual(await sequences(publications), [3, 2, 1]);
    }));

  test('a run built on a version that the layer no longer reaches is refused', () =>
    withLake(async ({ publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await assert.rejects(
        publish({ run: 'r2', basedOn: 7, tables: [{ table: 't', partitions: { '01': 'b' } }] }),
        withCode('publish_conflict', /version 7/),
      );
    }));

  test('a staged object that is gone or was cut stops the publication and is named', () =>
    withLake(async ({ root, store, publications }) => {
      const request = await stageRequest(store, {
        run: 'r1',
        tables: [{ table: 't', partitions: { '01': 'abc' }, quarantine: 'q' }],
      });
      const key = request.tables[0]?.partitions[0]?.files[0]?.key ?? '';
      await truncate(join(root, key), 1);
      await assert.rejects(publications.publish(request), withCode('data_unreadable', /p=01\/part has 1 bytes, but 3/));
      await rm(join(root, key));
      await assert.rejects(publications.publish(request), withCode('object_not_found', /p=01\/part/));
      await writeFile(join(root, key), 'abc');
      await rm(join(root, request.tables[0]?.quarantine[0]?.key ?? ''));
      await assert.rejects(publications.publish(request), withCode('object_not_found', /quarantine\/_staging/));
      assert.equal(await publications.current('silver'), null);
    }));

  test('a table cannot hold partitions by two keys', () =>
    withLake(async ({ publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const other = { table: 't', partitionKey: 'q', partitions: { x: 'b' } };
      await assert.rejects(
        publish({ run: 'r2', tables: [other] }),
        withCode('state_conflict', /published by p but staged by q/),
      );
      assert.equal((await publish({ run: 'r3', tables: [{ ...other, replacesAll: true }] })).moved, true);
    }));

  test('another pipeline cannot publish into the same folder', () =>
    withLake(async ({ store, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const other = openPublications({ store, pipeline: 'bank', clock: { now: () => 0 } });
      await assert.rejects(other.current('silver'), withCode('state_conflict', /belongs to pipeline shop, not bank/));
    }));
});

describe('a version decided by an author that died before it moved the pointer', () => {
  const words: RequestWords = { run: 'r2', basedOn: 1, tables: [{ table: 't', partitions: { '02': 'b' } }] };

  const withOrphan = (work: (lake: Lake) => Promise<void>): Promise<void> =>
    withLake(async (lake) => {
      await lake.publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const pointer = await readFile(join(lake.root, 'silver/_latest.json'));
      await lake.publish(words);
      await writeFile(join(lake.root, 'silver/_latest.json'), pointer);
      await work(lake);
    });

  test('is not seen by readers', () =>
    withOrphan(async ({ publications }) => {
      assert.equal((await publications.current('silver'))?.sequence, 1);
      assert.deepEqual(await sequences(publications), [1]);
    }));

  test('is adopted by the same run', () =>
    withOrphan(async ({ publications, publish }) => {
      assert.deepEqual(await publish(words), { layer: 'silver', sequence: 2, touched: { t: ['02'] }, moved: true });
      assert.equal((await publications.current('silver'))?.sequence, 2);
    }));

  test('is completed by another run, which then publishes on top', () =>
    withOrphan(async ({ publications, publish }) => {
      const ref = await publish({ run: 'r3', basedOn: 1, tables: [{ table: 't', partitions: { '03': 'c' } }] });
      assert.deepEqual([ref.sequence, ref.touched], [3, { t: ['03'] }]);
      assert.deepEqual(partitionsOf(await publications.current('silver'), 't'), ['01', '02', '03']);
    }));

  test('is completed before a rollback', () =>
    withOrphan(async ({ publications }) => {
      const reverted = await publications.rollback('silver', 1, { dagId: 'cli', runId: 'x' });
      assert.deepEqual([reverted.sequence, reverted.revertsTo], [3, 1]);
    }));
});

describe('rollback', () => {
  test('publishes the old tables as the next version, and can itself be rolled back', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b', '02': 'c' } }] });
      const back = await publications.rollback('silver', 1, { dagId: 'cli', runId: 'back' });
      assert.deepEqual([back.sequence, back.revertsTo, back.runId], [3, 1, 'back']);
      assert.deepEqual(back.tables, (await publications.at('silver', 1)).tables);
      assert.deepEqual(await publications.current('silver'), back);
      const forth = await publications.rollback('silver', 2, { dagId: 'cli', runId: 'forth' });
      assert.deepEqual(forth.tables, (await publications.at('silver', 2)).tables);
      assert.deepEqual(await sequences(publications), [4, 3, 2, 1]);
    }));

  test('a repeat, or going back to what is shown, changes nothing', () =>
    withLake(async ({ publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' } }] });
      const facts = { dagId: 'cli', runId: 'back' };
      const back = await publications.rollback('silver', 1, facts);
      assert.deepEqual(await publications.rollback('silver', 1, facts), back);
      assert.equal((await publications.rollback('silver', 3, facts)).sequence, 3);
      assert.deepEqual(await sequences(publications), [3, 2, 1]);
    }));

  test('refuses a version that never was, and one whose files are gone', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const [file] = await publications.files('silver', 't');
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' } }] });
      const facts = { dagId: 'cli', runId: 'back' };
      await assert.rejects(publications.rollback('silver', 9, facts), withCode('publication_not_found', /version 9/));
      await rm(join(root, file?.key ?? ''));
      await assert.rejects(publications.rollback('silver', 1, facts), withCode('object_not_found', /p=01/));
      assert.equal((await publications.current('silver'))?.sequence, 2);
    }));
});

describe('manifests and pointers', () => {
  test('a corrupt one is an error that names the key, and leaves it as it is', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const manifest = join(root, 'silver/_history/000000000001.json');
      const good = await readFile(manifest, 'utf8');
      await truncate(manifest, 100);
      const named = withCode('data_unreadable', /silver\/_history\/000000000001\.json.*not JSON/);
      await assert.rejects(publications.current('silver'), named);
      await writeFile(manifest, good.replace('"rows":1', '"rows":"one"'));
      await assert.rejects(
        publications.current('silver'),
        withCode('data_unreadable', /tables\.t\.partitions\.01\..*rows/),
      );
      await writeFile(manifest, good);
      await writeFile(join(root, 'silver/_latest.json'), '{}');
      await assert.rejects(publications.current('silver'), withCode('data_unreadable', /silver\/_latest\.json/));
    }));

  test('a manifest that the pointer names but nobody finds is named', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await rm(join(root, 'silver/_history/000000000001.json'));
      const named = withCode('publication_not_found', /silver\/_history\/000000000001\.json/);
      await assert.rejects(publications.current('silver'), named);
    }));

  test('the pointer of dims names the newest snapshot of each table, which an older date does not move back', () =>
    withLake(async ({ root, publications, publish }) => {
      const pointer = async (): Promise<Record<string, Record<string, string>>> =>
        JSON.parse(await readFile(join(root, 'dims/_latest.json'), 'utf8')).tables;
      const snapshot = (table: string, day: string, content: string) => ({ table, partitions: { [day]: content } });
      await publish({
        layer: 'dims',
        run: 'day14',
        tables: [snapshot('customers', '2025-10-14', 'c14'), snapshot('product_catalog', '2025-10-14', 'p14')],
      });
      await publish({ layer: 'dims', run: 'day12', tables: [snapshot('customers', '2025-10-12', 'c12')] });
      const published_at = '2025-10-16T00:00:00.000Z';
      assert.deepEqual(await pointer(), {
        customers: { snapshot_dt: '2025-10-14', run_id: 'day14', published_at },
        product_catalog: { snapshot_dt: '2025-10-14', run_id: 'day14', published_at },
      });
      await publish({ layer: 'dims', run: 'day15', tables: [snapshot('customers', '2025-10-15', 'c15')] });
      assert.deepEqual(
        Object.entries(await pointer()).map(([table, entry]) => [table, entry.snapshot_dt, entry.run_id]),
        [
          ['customers', '2025-10-15', 'day15'],
          ['product_catalog', '2025-10-14', 'day14'],
        ],
      );
      await publications.rollback('dims', 1, { dagId: 'cli', runId: 'back' });
      assert.equal((await pointer()).customers?.snapshot_dt, '2025-10-14');
    }));

  test('other layers have no snapshots in their pointer, and name the manifest that it leads to', () =>
    withLake(async ({ root, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const manifest = await readFile(join(root, 'silver/_history/000000000001.json'));
      const pointer = JSON.parse(await readFile(join(root, 'silver/_latest.json'), 'utf8'));
      const { schemaFingerprint } = JSON.parse(manifest.toString());
      assert.match(schemaFingerprint, /^[0-9a-f]{16}$/);
      assert.deepEqual(pointer, {
        format_version: 1,
        pipeline: 'shop',
        layer: 'silver',
        sequence: 1,
        manifest: 'silver/_history/000000000001.json',
        manifest_crc32c: crc32cOf(manifest),
        schema_fingerprint: schemaFingerprint,
        previous: null,
        revision: 0,
        dag_id: 'dag',
        run_id: 'r1',
        published_at: '2025-10-16T00:00:00.000Z',
        reverts_to: null,
      });
    }));

  test('a pointer names the version before it, and the schema fingerprint moves with the schema alone', () =>
    withLake(async ({ root, publish }) => {
      const pointer = async () => JSON.parse(await readFile(join(root, 'silver/_latest.json'), 'utf8'));
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const first = await pointer();
      await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b', '02': 'c' } }] });
      const second = await pointer();
      assert.deepEqual([second.previous, second.schema_fingerprint], [1, first.schema_fingerprint]);
      await publish({ run: 'r3', tables: [{ table: 'u', partitions: { '01': 'b' } }] });
      assert.notEqual((await pointer()).schema_fingerprint, first.schema_fingerprint);
    }));

  test('a manifest that says something else than what was published is refused, though it reads well', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const manifest = join(root, 'silver/_history/000000000001.json');
      const good = await readFile(manifest, 'utf8');
      await writeFile(manifest, good.replace('"rows":1', '"rows":2'));
      const named = withCode('data_unreadable', /_history\/000000000001\.json is not the manifest that was published/);
      await assert.rejects(publications.current('silver'), named);
      await assert.rejects(publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' } }] }), named);
    }));

  test('pointers of an older program, without a checksum, are still read', () =>
    withLake(async ({ root, publications, publish }) => {
      await publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      const path = join(root, 'silver/_latest.json');
      const { manifest_crc32c, schema_fingerprint, previous, revision, ...old } = JSON.parse(
        await readFile(path, 'utf8'),
      );
      assert.ok(manifest_crc32c && schema_fingerprint && previous === null && revision === 0);
      await writeFile(path, JSON.stringify(old));
      assert.equal((await publications.current('silver'))?.sequence, 1);
      assert.equal((await publish({ run: 'r2', tables: [{ table: 't', partitions: { '01': 'b' } }] })).sequence, 2);
    }));
});

describe('a pointer that was lost or set back', () => {
  const three = async ({ publish }: Lake): Promise<void> => {
    for (const run of ['r1', 'r2', 'r3']) await publish({ run, tables: [{ table: 't', partitions: { '01': run } }] });
  };

  test('is found missing by the history: readers see the newest version, and the next publisher writes it again', () =>
    withLake(async (lake) => {
      await three(lake);
      await rm(join(lake.root, 'silver/_latest.json'));
      assert.equal((await lake.publications.current('silver'))?.runId, 'r3');
      assert.deepEqual(await sequences(lake.publications), [3, 2, 1]);
      const ref = await lake.publish({ run: 'r4', tables: [{ table: 't', partitions: { '02': 'x' } }] });
      assert.deepEqual([ref.sequence, ref.touched], [4, { t: ['02'] }]);
      assert.deepEqual(partitionsOf(await lake.publications.current('silver'), 't'), ['01', '02']);
      assert.equal(JSON.parse(await readFile(join(lake.root, 'silver/_latest.json'), 'utf8')).sequence, 4);
    }));

  test('is lost for good where even the first version cannot be told from one that never became visible', () =>
    withLake(async (lake) => {
      await lake.publish({ run: 'r1', tables: [{ table: 't', partitions: { '01': 'a' } }] });
      await rm(join(lake.root, 'silver/_latest.json'));
      assert.equal(await lake.publications.current('silver'), null);
      const ref = await lake.publish({ run: 'r2', tables: [{ table: 't', partitions: { '02': 'x' } }] });
      assert.equal(ref.sequence, 2);
      assert.deepEqual(partitionsOf(await lake.publications.current('silver'), 't'), ['01', '02']);
    }));

  test('moves forward again in one step, without showing what lies between', () =>
    withLake(async (lake) => {
      const path = join(lake.root, 'silver/_latest.json');
      await lake.publish({ run: 'r0', tables: [{ table: 't', partitions: { '01': 'r0' } }] });
      const old = await readFile(path);
      await three(lake);
      await writeFile(path, old);
      const ref = await lake.publish({ run: 'r9', tables: [{ table: 't', partitions: { '02': 'x' } }] });
      assert.equal(ref.sequence, 5);
      assert.equal(
        (await lake.publications.current('silver'))?.tables.t?.partitions['01']?.files[0]?.key.split('/')[2],
        'dag.r3',
      );
    }));
});
