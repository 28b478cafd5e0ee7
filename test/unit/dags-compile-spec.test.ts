/** The kept compilation of a spec: taken where nothing has changed, and the same value, or the same faults, as without it. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML with variables of ours
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { SpecError } from '../../core/errors.ts';
import { compileDags } from '../../dags/compile-dag.ts';
import { type CompiledSpec, type CompileSpecOptions, compileSpec } from '../../dags/compile-spec.ts';
import { type ReadSpecOptions, readSpec } from '../../dags/read-specs.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import fc from '../fixtures-support/properties.ts';
import { SHOP, type SpecTexts } from '../fixtures-support/spec-folder.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

interface Given {
  readonly environment?: string;
  readonly build?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

interface World {
  readonly cacheFile: string;
  optionsOf(given: Given): CompileSpecOptions;
  write(texts: SpecTexts): Promise<void>;
  remove(file: string): Promise<void>;
  compile(given?: Given): Promise<CompiledSpec>;
  /** True where a compilation left the kept one as it lay there. */
  keepsThrough(given?: Given): Promise<boolean>;
}

async function compileAfresh(options: ReadSpecOptions): Promise<CompiledSpec> {
  const { spec, issues } = readSpec(options);
  return { spec, issues, dags: compileDags(spec) };
}

async function withProject<T>(texts: SpecTexts, work: (world: World) => Promise<T>): Promise<T> {
  return withTempFolder(async (root) => {
    const folder = join(root, 'specs/shop');
    const cacheFile = join(root, '.assay/specs/shop.json');
    await mkdir(join(root, '.assay'));
    const optionsOf = ({ environment = 'local', build = 'one', env = {} }: Given) => ({
      root,
      folder: 'specs/shop',
      environment,
      build,
      env,
      cacheFile,
    });
    const identity = async (): Promise<string> => {
      const found = await stat(cacheFile, { bigint: true }).catch(() => null);
      return found === null ? 'none' : `${found.ino} ${found.mtimeNs}`;
    };
    const world: World = {
      cacheFile,
      optionsOf,
      write: async (written) => {
        for (const [file, text] of Object.entries(written)) {
          await mkdir(dirname(join(folder, file)), { recursive: true });
          await writeFile(join(folder, file), text);
        }
      },
      remove: (file) => rm(join(folder, file)),
      compile: async (given = {}) => {
        const options = optionsOf(given);
        const [kept, fresh] = await Promise.allSettled([compileSpec(options), compileAfresh(options)]);
        if (fresh.status === 'rejected') {
          assert.equal(kept.status, 'rejected');
          assert.ok(kept.reason instanceof SpecError && fresh.reason instanceof SpecError);
          assert.deepEqual(kept.reason.issues, fresh.reason.issues);
          throw fresh.reason;
        }
        assert.deepEqual(kept.status === 'fulfilled' ? kept.value : kept.reason, fresh.value);
        return fresh.value;
      },
      keepsThrough: async (given = {}) => {
        const before = await identity();
        await world.compile(given);
        return before !== 'none' && (await identity()) === before;
      },
    };
    await world.write(texts);
    return work(world);
  });
}

const sla = ({ spec }: CompiledSpec): number | undefined => spec.tables[0]?.quality.sla;

describe('a kept compilation', () => {
  test('is taken where nothing has changed', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ compile, keepsThrough }) => {
      await compile();
      assert.ok(await keepsThrough());
    });
  });

  test('gives way to an edit, an added and a removed file, and is the right one after each', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ compile, keepsThrough, write, remove }) => {
      await compile();
      await write({ 'shop.yml': `defaults: {quality: {sla: 0.5}}\n${SHOP}` });
      assert.equal(sla(await compile()), 0.5);
      await write({
        'more.yml': 'base_silver:\n  tables:\n    - {name: more, primary_key: [id], columns: [{name: id}]}\n',
      });
      assert.equal((await compile()).spec.tables.length, 3);
      assert.ok(await keepsThrough());
      await remove('more.yml');
      assert.equal((await compile()).spec.tables.length, 2);
    });
  });

  test('depends on the variables that its texts ask for, however they are spelled, and on no others', async () => {
    // YAML undoes the escapes, so the name of the variable stands nowhere in the bytes of the file.
    const text = `owner: "\\x24{OW\\x4eER:-nobody}"\n${SHOP}`;
    await withProject({ 'shop.yml': text }, async ({ compile, keepsThrough }) => {
      const owner = async (env: Given['env']) => (await compile({ env: env ?? {} })).spec.owner;
      assert.equal(await owner({}), 'nobody');
      assert.equal(await owner({ OWNER: 'me' }), 'me');
      assert.equal(await owner({ OWNER: 'you' }), 'you');
      assert.ok(await keepsThrough({ env: { OWNER: 'you', HOME: '/elsewhere' } }));
      assert.ok(!(await keepsThrough({ env: {} })));
    });
  });

  test('is of one environment and of one build', async () => {
    const texts = { 'shop.yml': SHOP, 'overlays/prod.yml': 'defaults: {quality: {sla: 0.99}}\n' };
    await withProject(texts, async ({ compile, keepsThrough }) => {
      await compile();
      assert.equal(sla(await compile({ environment: 'prod' })), 0.99);
      assert.ok(await keepsThrough({ environment: 'prod' }));
      assert.ok(!(await keepsThrough({ environment: 'prod', build: 'two' })));
    });
  });

  test('is never of a spec with faults: they are told again each time, until they are mended', async () => {
    const broken = SHOP.replace('primary_key: [order_id]', 'primary_kye: [order_id]');
    await withProject({ 'shop.yml': SHOP }, async ({ compile, keepsThrough, write }) => {
      await compile();
      await write({ 'shop.yml': broken });
      await assert.rejects(compile(), SpecError);
      await assert.rejects(compile(), SpecError);
      await write({ 'shop.yml': SHOP });
      assert.ok(await keepsThrough());
    });
  });

  test('gives way where a module outside the folder is gone, which is a fault of the spec', async () => {
    const transforms = `enriched_silver:\n  transforms:\n    - {name: extra, file: ../../transforms/extra.ts, depends_on: [orders], partition_key: day, primary_key: [order_id]}\n`;
    await withProject({ 'shop.yml': `${SHOP}${transforms}` }, async ({ compile, write, remove }) => {
      await write({ '../../transforms/extra.ts': 'export default null;\n' });
      await compile();
      await remove('../../transforms/extra.ts');
      await assert.rejects(compile(), SpecError);
    });
  });

  test('that is torn, empty, foreign or changed by hand is made anew', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ cacheFile, compile, keepsThrough }) => {
      await compile();
      const whole = await readFile(cacheFile, 'utf8');
      for (const bad of [
        whole.slice(0, -1),
        whole.slice(0, 200),
        '',
        '\n',
        '{}',
        whole.replace('order_date', 'order_data'),
      ]) {
        await writeFile(cacheFile, bad);
        assert.ok(!(await keepsThrough()), bad.slice(0, 20));
        assert.equal(await readFile(cacheFile, 'utf8'), whole);
      }
    });
  });

  test('is whole whoever writes at once, and leaves no drafts', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ cacheFile, compile, keepsThrough }) => {
      await Promise.all(Array.from({ length: 8 }, () => compile()));
      assert.deepEqual(await readdir(dirname(cacheFile)), ['shop.json']);
      await compile();
      assert.ok(await keepsThrough());
    });
  });

  test('is done without in a project that has no state, and where it cannot be written', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ cacheFile, compile }) => {
      const state = dirname(dirname(cacheFile));
      await rm(state, { recursive: true });
      await compile();
      await assert.rejects(stat(state), { code: 'ENOENT' });
      await writeFile(state, 'no folder');
      await compile();
      await rm(state);
      await symlink('/nowhere/at/all', state);
      await compile();
    });
  });

  test('is in the memory of a process too: the same value without its file, another one after an edit', async () => {
    await withProject({ 'shop.yml': SHOP }, async ({ cacheFile, optionsOf, write }) => {
      const options = { ...optionsOf({}), memory: new Map() };
      const first = await compileSpec(options);
      await rm(cacheFile);
      assert.equal(await compileSpec(options), first);
      await assert.rejects(stat(cacheFile), { code: 'ENOENT' });
      await write({ 'shop.yml': `defaults: {quality: {sla: 0.5}}\n${SHOP}` });
      const edited = await compileSpec(options);
      assert.deepEqual([sla(first), sla(edited)], [0.95, 0.5]);
      assert.equal(await compileSpec(options), edited);
    });
  });

  test('is the same as none for the reference pipeline', async () => {
    const specs = join(packageRoot(), 'specs/ecommerce');
    const files = (await readdir(specs, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(
      files.map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(specs.length + 1), await readFile(path)] as const;
      }),
    );
    await withProject(Object.fromEntries(texts), async ({ compile, keepsThrough }) => {
      const { dags } = await compile();
      assert.ok(await keepsThrough());
      assert.deepEqual(
        (await compile()).dags.map(({ fingerprint }) => fingerprint),
        dags.map(({ fingerprint }) => fingerprint),
      );
    });
  });

  test('is the same as none after any edits', async () => {
    const name = fc.constantFrom('a.yml', 'b.yaml', 'overlays/local.yml', 'overlays/prod.yml', 'notes.txt');
    const content = fc.constantFrom(
      SHOP,
      SHOP.replace('decimal(18,2)', 'int46'),
      'defaults: {quality: {sla: 0.5}}\n',
      'defaults: {quality: {sla: ${SLA:-0.75}}}\n',
      'owner: ${OWNER}\n',
      'owner: [\n',
      '',
    );
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), name, content }),
      fc.record({ kind: fc.constant('remove' as const), name }),
      fc.record({ kind: fc.constant('tear' as const), at: fc.nat({ max: 3_000 }) }),
    );
    const given = fc.record({
      environment: fc.constantFrom('local', 'prod'),
      build: fc.constantFrom('one', 'two'),
      env: fc.record(
        { SLA: fc.constantFrom('0.6', '', 'high'), OWNER: fc.constantFrom('me', 'you') },
        { requiredKeys: [] },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, given), { maxLength: 12 }), (steps) =>
        withProject({ 'shop.yml': SHOP.replaceAll(/customers|orders/g, (word) => `${word}_0`) }, async (world) => {
          for (const [change, under] of steps) {
            if (change.kind === 'write') await world.write({ [change.name]: change.content });
            if (change.kind === 'remove') await world.remove(change.name).catch(() => {});
            if (change.kind === 'tear') {
              const text = await readFile(world.cacheFile).catch(() => null);
              if (text) await writeFile(world.cacheFile, text.subarray(0, change.at));
            }
            // Compares with a compilation without the cache; that one's faults are as good an answer as its spec.
            for (let time = 0; time < 2; time += 1) {
              await world
                .compile(under)
                .catch((thrown: unknown) => assert.ok(thrown instanceof SpecError, String(thrown)));
            }
          }
        }),
      ),
      { numRuns: 30 },
    );
  });
});
