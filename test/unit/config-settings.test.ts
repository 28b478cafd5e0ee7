/** Which of flag, variable, file and default wins, and what a wrong setting is told. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertComplete, bronzeLocation, lakeLocation } from '../../config/lake-location.ts';
import { gateSettings, reportFolder, taskDefaults } from '../../config/project-paths.ts';
import { isSettingKey, SETTING_KEYS, variableName } from '../../config/setting-keys.ts';
import {
  explainSetting,
  type ReadSettingsOptions,
  readSettings,
  type Settings,
  settingKeys,
} from '../../config/settings.ts';
import { PipelineError } from '../../core/errors.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

type Given = Pick<ReadSettingsOptions, 'flags' | 'env'> & { readonly config?: string };

async function settingsOf({ config, flags = {}, env = {} }: Given = {}): Promise<Settings> {
  return withTempFolder(async (root) => {
    await mkdir(join(root, 'config'));
    if (config !== undefined) await writeFile(join(root, 'config/config.yml'), config);
    return readSettings({ root, flags, env });
  });
}

async function refusal(given: Given): Promise<PipelineError> {
  try {
    await settingsOf(given);
  } catch (thrown) {
    assert.ok(thrown instanceof PipelineError);
    return thrown;
  }
  return assert.fail('the settings were taken');
}

describe('settings', () => {
  test('of a project without config.yml are the local defaults', async () => {
    const { environment, values } = await settingsOf();
    assert.equal(environment, 'local');
    assert.equal(values['gates.silver'], 'warning-only');
    assert.equal(values.strict_foreign_keys, false);
    assert.equal(values['warehouse.load'], true);
    assert.equal(values['warehouse.marts'], true);
    assert.equal(values['server.host'], '127.0.0.1');
    assert.equal(values['server.port'], 4600);
    assert.equal(values['engine.duckdb.memory_limit'], '1GB');
    assert.ok(values['executor.slots'] >= 2);
  });

  test('are won by flag over variable over environment section over file over default', async () => {
    const config = 'server: {port: 1}\nenvironments:\n  local:\n    server: {port: 2}\n';
    const env = { ASSAY_SERVER_PORT: '3' };
    const flags = { 'server.port': '4' };
    const port = async (given: Given) => (await settingsOf(given)).values['server.port'];
    assert.equal(await port({ config: 'server: {port: 1}\n' }), 1);
    assert.equal(await port({ config }), 2);
    assert.equal(await port({ config, env }), 3);
    assert.equal(await port({ config, env, flags }), 4);
  });

  test('explain which source won, and which it won against', async () => {
    const config = 'server: {port: 1}\nenvironments:\n  local:\n    server: {port: 2}\n';
    const explained = explainSetting(await settingsOf({ config, env: { ASSAY_SERVER_PORT: '3' } }), 'server.port');
    assert.equal(explained.value, 3);
    assert.equal(explained.origin, 'variable ASSAY_SERVER_PORT');
    assert.deepEqual(explained.overridden, [
      { value: 2, origin: 'config/config.yml:4:14 (environments.local)' },
      { value: 1, origin: 'config/config.yml:1:10' },
      { value: 4600, origin: 'default' },
    ]);
  });

  test('have the same words for the older variables', async () => {
    const env = {
      BRONZE_BASE_PATH: '/lake/bronze',
      STRICT_FK: 'true',
      BQ_LOAD_ENABLED: '0',
      GOLD_PIPELINE_ENABLED: 'off',
    };
    const { values } = await settingsOf({ env });
    assert.equal(values['lake.bronze.base_path'], '/lake/bronze');
    assert.equal(values.strict_foreign_keys, true);
    assert.equal(values['warehouse.load'], false);
    assert.equal(values['warehouse.marts'], false);
  });

  test('take the variables of emulators as Google’s clients write them, and say so', async () => {
    const addresses: readonly (readonly [written: string, address: string])[] = [
      ['127.0.0.1:4443', 'http://127.0.0.1:4443'],
      ['[::1]:4443', 'http://[::1]:4443'],
      ['fake-gcs:4443', 'http://fake-gcs:4443'],
      ['http://localhost:4443', 'http://localhost:4443'],
      ['https://localhost:4443/', 'https://localhost:4443'],
      ['http://localhost:4443/storage/v1', 'http://localhost:4443'],
      ['http://localhost:4443/bigquery/v2/', 'http://localhost:4443'],
    ];
    for (const [written, address] of addresses) {
      const settings = await settingsOf({ env: { STORAGE_EMULATOR_HOST: written, BIGQUERY_EMULATOR_HOST: written } });
      assert.equal(settings.values['gcs.endpoint'], address);
      assert.equal(settings.values['bigquery.endpoint'], address);
      assert.equal(explainSetting(settings, 'gcs.endpoint').origin, 'variable STORAGE_EMULATOR_HOST');
    }
    for (const wrong of ['emulator', 'localhost', '4443', 'http://']) {
      assert.match((await refusal({ env: { STORAGE_EMULATOR_HOST: wrong } })).message, /^gcs\.endpoint cannot be/);
    }
  });

  test('find a proxy in the order in which Google’s auth library looks', async () => {
    const proxy = async (env: Readonly<Record<string, string>>) => (await settingsOf({ env })).values['network.proxy'];
    const all = { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:1', HTTP_PROXY: 'c:1', http_proxy: 'http://d:1' };
    assert.equal(await proxy(all), 'http://a:1');
    assert.equal(await proxy({ ...all, HTTPS_PROXY: '' }), 'http://b:1');
    assert.equal(await proxy({ ...all, HTTPS_PROXY: '', https_proxy: '' }), 'http://c:1');
    assert.equal(await proxy({ http_proxy: 'http://d:1' }), 'http://d:1');
    assert.equal(await proxy({}), null);
  });

  test('never show a password that stands in an address', async () => {
    const env = { HTTPS_PROXY: 'http://ada:s3cret@proxy:3128', http_proxy: 'http://old:s3cret@proxy:3128' };
    const { value, overridden } = explainSetting(await settingsOf({ env }), 'network.proxy');
    assert.equal(value, 'http://ada:***@proxy:3128');
    assert.deepEqual(
      overridden.map((source) => source.value),
      ['http://old:***@proxy:3128', null],
    );
    const { message, context } = await refusal({ env: { AWS_ENDPOINT_URL: 'ftp://ada:s3cret@host' } });
    assert.match(message, /ftp:\/\/ada:\*\*\*@host/);
    assert.doesNotMatch(JSON.stringify(context), /s3cret/);
  });

  test('of all gates are set at once, and one by one where something closer says so', async () => {
    const all = await settingsOf({ env: { ASSAY_GATES: 'strict' } });
    assert.deepEqual(new Set(Object.values(gateSettings(all).mode)), new Set(['strict']));
    const flagged = await settingsOf({ env: { ASSAY_GATES_SILVER: 'strict' }, flags: { gates: 'warning-only' } });
    assert.equal(flagged.values['gates.silver'], 'warning-only');
    const mixed = await settingsOf({ config: 'gates: strict\nenvironments: {local: {gates: {gold: warning-only}}}\n' });
    assert.equal(mixed.values['gates.gold'], 'warning-only');
    assert.equal(mixed.values['gates.bronze'], 'strict');
  });

  test('treat an empty variable, and a key without a value, as not set', async () => {
    const { values } = await settingsOf({ config: 'server:\n  port:\n', env: { ASSAY_SERVER_PORT: '' } });
    assert.equal(values['server.port'], 4600);
  });

  test('are plain JSON, frozen to the bottom', async () => {
    const settings = await settingsOf();
    assert.deepEqual(JSON.parse(JSON.stringify(settings)), settings);
    const frozen = (value: unknown): boolean =>
      value === null || typeof value !== 'object' || (Object.isFrozen(value) && Object.values(value).every(frozen));
    assert.ok(frozen(settings));
  });
});

describe('an environment', () => {
  const LOCAL = 'storage: local\nwarehouse: {kind: duckdb}\n';

  test('is chosen by flag over PIPELINE_ENV over the file', async () => {
    const config = `environment: dev\n${LOCAL}`;
    const env = { PIPELINE_ENV: 'prod' };
    assert.equal((await settingsOf({ config })).environment, 'dev');
    assert.equal((await settingsOf({ config, env })).environment, 'prod');
    assert.equal((await settingsOf({ config, env, flags: { environment: 'local' } })).environment, 'local');
  });

  test('other than local is strict and retries as the table of environments says', async () => {
    const of = async (environment: string) => settingsOf({ config: LOCAL, flags: { environment } });
    const prod = await of('prod');
    assert.deepEqual(taskDefaults(prod).retry, {
      retries: 3,
      delayMs: 300_000,
      exponentialBackoff: true,
      maxDelayMs: 1_800_000,
    });
    assert.deepEqual(gateSettings(prod), {
      mode: { bronze: 'strict', silver: 'strict', dims: 'strict', enriched: 'strict', gold: 'strict' },
      onFail: 'hold_layer',
      strictForeignKeys: true,
    });
    assert.deepEqual(taskDefaults(await of('dev')).retry, {
      retries: 2,
      delayMs: 120_000,
      exponentialBackoff: true,
      maxDelayMs: 600_000,
    });
    assert.deepEqual(taskDefaults(await of('local')).retry, {
      retries: 1,
      delayMs: 60_000,
      exponentialBackoff: false,
      maxDelayMs: 60_000,
    });
  });

  for (const environment of ['dev', 'prod', 'sandbox']) {
    test(`${environment} without its bucket is refused, not quietly run here`, async () => {
      const settings = await settingsOf({
        flags: { environment, 'lake.bucket': environment === 'sandbox' ? 'a-bucket' : undefined },
      });
      if (environment === 'sandbox') {
        assert.deepEqual(lakeLocation(settings, 'shop'), { kind: 'gcs', bucket: 'a-bucket', prefix: 'shop/' });
        return;
      }
      assert.throws(
        () => lakeLocation(settings, 'shop'),
        (thrown: unknown) =>
          thrown instanceof PipelineError &&
          thrown.code === 'setting_invalid' &&
          thrown.message.includes(`lake.bucket is not set, but storage is gcs in the environment ${environment}`),
      );
    });
  }
});

describe('what an environment needs', () => {
  test('is told at once, all of it', async () => {
    const bare = await settingsOf();
    assert.throws(
      () => assertComplete({ ...bare, values: { ...bare.values, storage: 'gcs', 'warehouse.kind': 'bigquery' } }),
      (thrown: unknown) =>
        thrown instanceof PipelineError &&
        /^lake\.bucket is not set.*\ngoogle\.project is not set/.test(thrown.message),
    );
    assertComplete(bare);
    assertComplete(await settingsOf({ flags: { environment: 'sandbox' } }));
  });

  test('BigQuery without Cloud Storage is a fault', async () => {
    const settings = await settingsOf({ flags: { 'warehouse.kind': 'bigquery', 'google.project': 'p' } });
    assert.throws(() => assertComplete(settings), /loads from Cloud Storage alone, but storage is local/);
  });
});

describe('a wrong setting', () => {
  test('is told with key, value, origin and what is allowed', async () => {
    const error = await refusal({ config: 'gates:\n  silver: strickt\n' });
    assert.equal(error.code, 'setting_invalid');
    assert.equal(
      error.message,
      'gates.silver cannot be "strickt" (config/config.yml:2:3). Allowed: strict, warning-only.',
    );
    assert.deepEqual(error.context, {
      key: 'gates.silver',
      value: 'strickt',
      origin: 'config/config.yml:2:3',
      allowed: 'strict, warning-only',
    });
  });

  test('is told with all others, also where a stronger one hides it', async () => {
    const error = await refusal({
      config: 'server: {port: 99999}\nserv: {port: 1}\n',
      env: { STRICT_FK: 'maybe', ASSAY_GATES: 'soft' },
      flags: { 'server.port': '1', 'server.prt': '2' },
    });
    const lines = error.message.split('\n').sort();
    assert.deepEqual(
      lines.map((line) => line.slice(0, 24)),
      [
        '--set: there is no setti',
        'config/config.yml:2:8: t',
        'gates cannot be "soft" (',
        'server.port cannot be "9',
        'strict_foreign_keys cann',
      ],
    );
    assert.match(error.message, /there is no setting "server\.prt"\. Did you mean "server\.port"\?/);
  });

  test('of a value that is no number, size or path is refused', async () => {
    for (const config of [
      'server: {port: http}',
      'engine: {duckdb: {memory_limit: 12}}',
      'lake: {base_path: ""}',
      'retries: {count: -1}',
      'executor: {slots: [2]}',
    ]) {
      assert.equal((await refusal({ config: `${config}\n` })).code, 'setting_invalid', config);
    }
  });

  test('in an environment that there is not, or a text that is no YAML, names the line', async () => {
    assert.match(
      (await refusal({ config: 'environments:\n  prd: {storage: local}\n' })).message,
      /^config\/config\.yml:2:9: there is no environment "prd"\. Did you mean "prod"\?$/,
    );
    assert.match((await refusal({ config: 'server: {port: 1\n' })).message, /^config\/config\.yml:\d+:\d+: /);
    assert.match((await refusal({ config: '- a\n' })).message, /no mapping/);
  });

  test('asked to be explained is told what was probably meant', async () => {
    const settings = await settingsOf();
    assert.throws(() => explainSetting(settings, 'warehouse.lode'), /Did you mean "warehouse\.load"\?/);
  });
});

describe('paths', () => {
  test('lie in the project, one folder a pipeline, unless they are absolute', async () => {
    const settings = await settingsOf();
    const at = (folder: string) => ({ kind: 'local', folder });
    assert.deepEqual(lakeLocation(settings, 'shop'), at(join(settings.root, 'data/shop')));
    assert.deepEqual(bronzeLocation(settings, 'shop'), at(join(settings.root, 'data/shop/bronze')));
    const bucket = await settingsOf({ flags: { 'lake.bronze.base_path': 'gs://other/raw/{pipeline}/' } });
    assert.deepEqual(bronzeLocation(bucket, 'shop'), { kind: 'gcs', bucket: 'other', prefix: 'raw/shop/' });
    const elsewhere = await settingsOf({ env: { BRONZE_BASE_PATH: '/lake/{pipeline}' } });
    assert.deepEqual(bronzeLocation(elsewhere, 'shop'), at('/lake/shop'));
  });

  test('of reports are what the spec says unless a setting says otherwise', async () => {
    const spec = { pipeline: 'shop', reportDir: 'docs/reports' };
    const settings = await settingsOf();
    assert.equal(reportFolder(settings, spec), join(settings.root, 'docs/reports'));
    const sandbox = await settingsOf({ flags: { environment: 'sandbox' } });
    assert.equal(reportFolder(sandbox, spec), join(sandbox.root, 'docs/reports/sandbox'));
    const other = await settingsOf({ env: { REPORTS_BASE_PATH: 'out/{pipeline}' } });
    assert.equal(reportFolder(other, spec), join(other.root, 'out/shop'));
  });
});

describe('the documents of the settings', () => {
  test('config/config.yml is valid and says nothing else than the defaults', async () => {
    const config = await readFile(join(packageRoot(), 'config/config.yml'), 'utf8');
    assert.deepEqual((await settingsOf({ config })).values, (await settingsOf()).values);
    for (const environment of ['dev', 'prod', 'sandbox']) {
      const local = { storage: 'local', 'warehouse.kind': 'duckdb', environment };
      assert.deepEqual(
        (await settingsOf({ config, flags: local })).values,
        (await settingsOf({ flags: local })).values,
      );
    }
  });

  test('docs/reference/settings.md names every key and every variable', async () => {
    const page = await readFile(join(packageRoot(), 'docs/reference/settings.md'), 'utf8');
    for (const key of settingKeys()) {
      assert.ok(page.includes(`\`${key}\``), key);
      const definition = SETTING_KEYS[key];
      const variables: readonly string[] = 'variables' in definition ? (definition.variables ?? []) : [];
      for (const variable of variables) assert.ok(page.includes(`\`${variable}\``), variable);
    }
    const named = [...page.matchAll(/^\| `([a-z_.]+)` \|/gm)].map((match) => match[1] ?? '');
    for (const key of named) assert.ok(isSettingKey(key), key);
    assert.equal(variableName('lake.base_path'), 'ASSAY_LAKE_BASE_PATH');
  });
});
