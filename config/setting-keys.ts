/** Every setting: how its text is read, where it comes from besides config.yml, and what it is without being set. */
import { availableParallelism } from 'node:os';
import type { GateMode, OnFail } from '../core/types.ts';

export const ENVIRONMENTS = ['local', 'dev', 'prod', 'sandbox'] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

/** Reads a value of a flag, a variable (both text) or of config.yml (any YAML value); `undefined` where it is none. */
type Parse<T> = (value: unknown) => T | undefined;

export interface SettingDefinition<T> {
  readonly describes: string;
  /** What may stand there, in words. */
  readonly allowed: string;
  readonly parse: Parse<T>;
  readonly byDefault: T | ((environment: EnvironmentName) => T);
  /** Variables besides `ASSAY_<KEY>`, the first one that is set wins. */
  readonly variables?: readonly string[];
}

function setting<T>(definition: SettingDefinition<T>): SettingDefinition<T> {
  return definition;
}

function oneOf<const Word extends string>(
  ...words: readonly Word[]
): Pick<SettingDefinition<Word>, 'allowed' | 'parse'> {
  return { allowed: words.join(', '), parse: (value) => words.find((word) => word === value) };
}

const TRUE_WORDS: readonly unknown[] = [true, 'true', '1', 'yes', 'on'];
const FALSE_WORDS: readonly unknown[] = [false, 'false', '0', 'no', 'off'];
const isTrue: Pick<SettingDefinition<boolean>, 'allowed' | 'parse'> = {
  allowed: 'true or false',
  parse: (value) => {
    const word = typeof value === 'string' ? value.toLowerCase() : value;
    return TRUE_WORDS.includes(word) ? true : FALSE_WORDS.includes(word) ? false : undefined;
  },
};

function wholeNumber(min: number, max: number): Pick<SettingDefinition<number>, 'allowed' | 'parse'> {
  return {
    allowed: `a whole number, ${min} to ${max}`,
    parse: (value) => {
      const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
      return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
        ? number
        : undefined;
    },
  };
}

const path: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'a path, relative to the project; {pipeline} stands for the name of a pipeline',
  parse: (value) => (typeof value === 'string' && value.trim() !== '' ? value : undefined),
};

const text: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'a text',
  parse: (value) => (typeof value === 'string' && value.trim() !== '' ? value : undefined),
};

/** Null: not set. */
const optional = <T>(
  inner: Pick<SettingDefinition<T>, 'allowed' | 'parse'>,
): Pick<SettingDefinition<T | null>, 'allowed' | 'parse'> => inner;

const decimal = (min: number, max: number): Pick<SettingDefinition<number>, 'allowed' | 'parse'> => ({
  allowed: `a number, ${min} to ${max}`,
  parse: (value) => {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof number === 'number' && number >= min && number <= max ? number : undefined;
  },
});

const bucketName: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'the name of a bucket, without gs:// or s3://',
  parse: (value) =>
    typeof value === 'string' && /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(value) ? value : undefined,
};

const url: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'an address that begins with http:// or https://',
  parse: (value) =>
    typeof value === 'string' && /^https?:\/\/[^\s/]+/.test(value) ? value.replace(/\/+$/, '') : undefined,
};

/**
 * Google's clients take `host:port` in their variables as well as an address; those for Node want the path of the API with it.
 *
 * @source constructors of @google-cloud/storage 7.22.0 and @google-cloud/bigquery 8.3.1
 */
const apiAddress: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'an address that begins with http:// or https://, or host:port for http://',
  parse: (value) => url.parse(withScheme(value))?.replace(/\/(storage\/v1|bigquery\/v2)$/, ''),
};

/** Taken as it is: what a machine sets for other programs (`socks5://…`) stops only what needs the proxy. */
const proxyAddress: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'an address that begins with http:// or https://, or host:port for http://',
  parse: (value) => text.parse(withScheme(value))?.trim(),
};

/** `127.0.0.1:4443`, `[::1]:4443`. */
const withScheme = (value: unknown): unknown =>
  typeof value === 'string' && /^(\[[0-9a-f:]+\]|[^\s/:@]+):\d+$/i.test(value.trim())
    ? `http://${value.trim()}`
    : value;

const memory: Pick<SettingDefinition<string>, 'allowed' | 'parse'> = {
  allowed: 'a size with its unit, e.g. 512MB, 1GB or 1.5GiB',
  parse: (value) =>
    typeof value === 'string' && /^\d+(\.\d+)?\s?([KMGT]i?B)$/.test(value.trim()) ? value.trim() : undefined,
};

const gate = (layer: string) =>
  setting<GateMode>({
    describes: `May ${layer} with failed checks go on? strict: no; warning-only: yes, and the report says so.`,
    ...oneOf('strict', 'warning-only'),
    byDefault: (environment) => (environment === 'local' ? 'warning-only' : 'strict'),
  });

const byEnvironment =
  <T>(values: { readonly [environment in EnvironmentName]: T }) =>
  (environment: EnvironmentName): T =>
    values[environment];

const cores = availableParallelism();

const keepVersions = (layer: string) =>
  setting({
    describes: `So many versions of ${layer} are kept, however old.`,
    ...wholeNumber(2, 100_000),
    byDefault: 30,
  });

const keepDays = (layer: string) =>
  setting({
    describes: `Versions of ${layer} younger than this are kept, however many.`,
    ...wholeNumber(0, 36_500),
    byDefault: 30,
  });

export const SETTING_KEYS = {
  environment: setting({
    describes: 'Which environment: names the section of config.yml and the overlay of the specs.',
    ...oneOf(...ENVIRONMENTS),
    byDefault: 'local' as EnvironmentName,
    variables: ['PIPELINE_ENV'],
  }),
  storage: setting({
    describes: 'Where the lake lies: a folder, Cloud Storage, or S3 and what speaks like it.',
    ...oneOf('local', 'gcs', 's3'),
    byDefault: byEnvironment<'local' | 'gcs' | 's3'>({ local: 'local', dev: 'gcs', prod: 'gcs', sandbox: 'gcs' }),
  }),
  'lake.base_path': setting({
    describes: 'Folder of a local lake; each pipeline has a folder of its name in it.',
    ...path,
    byDefault: 'data',
  }),
  'lake.bucket': setting({
    describes: 'Bucket of the lake, for storage gcs and s3.',
    ...optional(bucketName),
    byDefault: (environment): string | null => (environment === 'sandbox' ? 'assay-sandbox' : null),
    variables: ['LAKE_BUCKET'],
  }),
  'lake.prefix': setting({
    describes: 'What the keys of the lake begin with in its bucket; each pipeline has a folder of its name below.',
    allowed: 'a path without a leading slash; empty for none',
    parse: (value): string | undefined =>
      typeof value === 'string' && !value.startsWith('/') ? value.replace(/\/*$/, value === '' ? '' : '/') : undefined,
    byDefault: '',
  }),
  'lake.bronze.base_path': setting({
    describes:
      'Folder, or gs:// or s3:// address, that holds one folder for each bronze table; default: bronze/ of the lake.',
    allowed: `${path.allowed}; or gs://bucket/prefix, s3://bucket/prefix`,
    parse: (value): string | null | undefined => path.parse(value),
    byDefault: null,
    variables: ['BRONZE_BASE_PATH'],
  }),
  'cache.path': setting({
    describes: 'Folder in which objects of a bucket are kept for the engines to read.',
    ...path,
    byDefault: '.assay/cache',
  }),
  'cache.max_size': setting({
    describes: 'How much the cache may hold; what was read longest ago goes first.',
    ...memory,
    byDefault: '20GB',
  }),
  'publish.mirror': setting({
    describes:
      'Are published partitions also copied to <layer>/<table>/<key>=<value>/ for readers that know only folders?',
    ...oneOf('none', 'canonical'),
    byDefault: 'none' as const,
  }),
  'retention.silver.versions': keepVersions('silver'),
  'retention.dims.versions': keepVersions('dims'),
  'retention.enriched.versions': keepVersions('enriched'),
  'retention.gold.versions': keepVersions('gold'),
  'retention.silver.days': keepDays('silver'),
  'retention.dims.days': keepDays('dims'),
  'retention.enriched.days': keepDays('enriched'),
  'retention.gold.days': keepDays('gold'),
  'retention.grace_hours': setting({
    describes: 'Nothing younger than this is collected, referenced or not: a run may still be writing or reading it.',
    ...wholeNumber(1, 8_760),
    byDefault: 48,
  }),
  'google.project': setting({
    describes: 'Project that is billed for BigQuery and Cloud Storage.',
    ...optional(text),
    byDefault: (environment): string | null => (environment === 'sandbox' ? 'assay-sandbox' : null),
    variables: ['GOOGLE_CLOUD_PROJECT'],
  }),
  'google.key_file': setting({
    describes:
      'Credentials file: a service account key or a workload identity configuration; default: what Google’s clients find by themselves.',
    allowed: path.allowed,
    parse: (value): string | null | undefined => path.parse(value),
    byDefault: null,
  }),
  'network.proxy': setting({
    describes: 'Proxy that requests to clouds and for their tokens go through.',
    ...optional(proxyAddress),
    byDefault: null as string | null,
    // In the order in which Google's auth library looks.
    variables: ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'],
  }),
  'network.no_proxy': setting({
    describes: 'Hosts that are asked without the proxy, besides this machine and Google’s metadata server.',
    allowed: 'host names with commas between them; .example.com stands for all names that end so',
    parse: (value): string | undefined => (typeof value === 'string' ? value.trim() : undefined),
    byDefault: '',
    variables: ['NO_PROXY', 'no_proxy'],
  }),
  'gcs.endpoint': setting({
    describes:
      'Address of another server that speaks Cloud Storage’s API; no credentials are sent to it. In the environment sandbox: its own.',
    ...optional(apiAddress),
    byDefault: null as string | null,
    variables: ['STORAGE_EMULATOR_HOST'],
  }),
  's3.endpoint': setting({
    describes: 'Address of a server that speaks S3, e.g. MinIO; default: Amazon’s.',
    ...optional(url),
    byDefault: null as string | null,
    variables: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  }),
  's3.region': setting({
    describes: 'Region of the bucket.',
    ...text,
    byDefault: 'us-east-1',
    variables: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  }),
  's3.force_path_style': setting({
    describes: 'Is the bucket named in the path instead of the host name? Most servers besides Amazon’s need it.',
    ...isTrue,
    byDefault: false,
  }),
  'bigquery.endpoint': setting({
    describes:
      'Address of another server that speaks BigQuery’s API; no credentials are sent to it. In the environment sandbox: its own.',
    ...optional(apiAddress),
    byDefault: null as string | null,
    variables: ['BIGQUERY_EMULATOR_HOST'],
  }),
  'bigquery.location': setting({
    describes: 'Location of the datasets; the bucket has to lie in the same.',
    ...text,
    byDefault: 'US',
    variables: ['BQ_LOCATION'],
  }),
  'bigquery.dataset': setting({
    describes: 'Name of the dataset of a layer.',
    allowed: 'letters, digits and _, with {layer} and, if wanted, {pipeline}',
    parse: (value): string | undefined =>
      typeof value === 'string' && value.includes('{layer}') && /^[A-Za-z0-9_{}]+$/.test(value) ? value : undefined,
    byDefault: '{pipeline}_{layer}',
  }),
  'bigquery.maximum_bytes_billed': setting({
    describes: 'A query, or all jobs of a mart’s build together, that would read more is refused before it starts.',
    ...optional(memory),
    byDefault: byEnvironment<string | null>({ local: null, dev: '100GB', prod: '1TB', sandbox: '10GB' }),
  }),
  'bigquery.reservation': setting({
    describes:
      'Reservation that jobs run in: projects/P/locations/L/reservations/R; default: as the project is set up.',
    ...optional(text),
    byDefault: null as string | null,
  }),
  'bigquery.swap': setting({
    describes:
      'How marts become visible. transaction: all of a run at once, bytes are billed; copy: free, each table at once but not all together.',
    ...oneOf('transaction', 'copy'),
    byDefault: 'transaction' as 'transaction' | 'copy',
  }),
  'bigquery.price_per_tib': setting({
    describes: 'US dollars for a TiB that a query reads, for the costs that are shown.',
    ...decimal(0, 1_000),
    byDefault: 6.25,
  }),
  'bigquery.parallel_jobs': setting({
    describes: 'Load jobs at the same time of one task.',
    ...wholeNumber(1, 100),
    byDefault: 8,
  }),
  'query.max_seconds': setting({
    describes: 'A query over HTTP or on the command line is ended after this.',
    ...wholeNumber(1, 3_600),
    byDefault: 60,
  }),
  'query.max_rows': setting({
    describes: 'Most rows that one query over HTTP may be given.',
    ...wholeNumber(1, 10_000_000),
    byDefault: 100_000,
  }),
  'query.max_size': setting({
    describes: 'Most bytes that one answer over HTTP may have.',
    ...memory,
    byDefault: '64MB',
  }),
  'sandbox.port': setting({
    describes: 'Port of `assay sandbox` on 127.0.0.1.',
    ...wholeNumber(0, 65_535),
    byDefault: 4610,
  }),
  'sandbox.path': setting({
    describes: 'Folder in which the sandbox keeps buckets and datasets.',
    ...path,
    byDefault: '.assay/sandbox/cloud',
  }),
  'landing.base_path': setting({
    describes: 'Folder that the landing paths of the specs begin in.',
    ...path,
    byDefault: 'landing/{pipeline}',
  }),
  'gates.bronze': gate('bronze'),
  'gates.silver': gate('silver'),
  'gates.dims': gate('dims'),
  'gates.enriched': gate('enriched'),
  'gates.gold': gate('gold'),
  'gates.on_fail': setting({
    describes:
      'What a strict gate that is closed keeps back: the layer, or the tables that failed with all that is built on them.',
    ...oneOf('hold_layer', 'hold_descendants'),
    byDefault: 'hold_layer' as OnFail,
  }),
  strict_foreign_keys: setting({
    describes: 'Are rows without a parent quarantined? Else they are only counted.',
    ...isTrue,
    byDefault: (environment) => environment !== 'local',
    variables: ['STRICT_FK'],
  }),
  'warehouse.kind': setting({
    describes: 'What serves the marts.',
    ...oneOf('duckdb', 'bigquery'),
    byDefault: byEnvironment<'duckdb' | 'bigquery'>({
      local: 'duckdb',
      dev: 'bigquery',
      prod: 'bigquery',
      sandbox: 'bigquery',
    }),
  }),
  'warehouse.path': setting({
    describes: 'File of the embedded warehouse.',
    ...path,
    byDefault: 'data/warehouse.duckdb',
  }),
  'warehouse.load': setting({
    describes: 'Is the enriched layer loaded into the warehouse? Without, there are no marts either.',
    ...isTrue,
    byDefault: true,
    variables: ['BQ_LOAD_ENABLED'],
  }),
  'warehouse.marts': setting({
    describes: 'Are the marts built?',
    ...isTrue,
    byDefault: true,
    variables: ['GOLD_PIPELINE_ENABLED'],
  }),
  'retries.count': setting({
    describes: 'Tries of a task after the first, where its error may pass by itself.',
    ...wholeNumber(0, 100),
    byDefault: byEnvironment({ local: 1, dev: 2, prod: 3, sandbox: 3 }),
  }),
  'retries.delay_seconds': setting({
    describes: 'Before the next try.',
    ...wholeNumber(0, 86_400),
    byDefault: byEnvironment({ local: 60, dev: 120, prod: 300, sandbox: 5 }),
  }),
  'retries.exponential_backoff': setting({
    describes: 'Does the delay double with every try?',
    ...isTrue,
    byDefault: (environment) => environment !== 'local',
  }),
  'retries.max_delay_seconds': setting({
    describes: 'Longest delay between two tries.',
    ...wholeNumber(0, 86_400),
    byDefault: byEnvironment({ local: 60, dev: 600, prod: 1_800, sandbox: 30 }),
  }),
  'task.timeout_seconds': setting({
    describes: 'After this a try is ended and counts as failed.',
    ...wholeNumber(1, 2_592_000),
    byDefault: 3_600,
  }),
  'engine.duckdb.memory_limit': setting({
    describes: 'Memory of one DuckDB session; more spills to disk.',
    ...memory,
    byDefault: '1GB',
  }),
  'engine.threads': setting({
    describes: 'Threads of one DuckDB or Polars session.',
    ...wholeNumber(1, 1_024),
    byDefault: cores,
  }),
  'executor.slots': setting({
    describes: 'Tasks that run at the same time, each in a process of its own.',
    ...wholeNumber(1, 1_024),
    byDefault: Math.max(2, cores),
  }),
  'server.host': setting({ describes: 'Address that the server listens on.', ...text, byDefault: '127.0.0.1' }),
  'server.port': setting({
    describes: 'Port of the server; 0 takes a free one.',
    ...wholeNumber(0, 65_535),
    byDefault: 4600,
  }),
  'state.path': setting({
    describes: 'Folder of run store, logs and temporary files.',
    ...path,
    byDefault: byEnvironment({ local: '.assay', dev: '.assay/dev', prod: '.assay/prod', sandbox: '.assay/sandbox' }),
  }),
  'reports.path': setting({
    describes:
      'Folder of the validation reports, instead of the one that the spec names and its folder for the environment.',
    allowed: path.allowed,
    parse: (value): string | null | undefined => path.parse(value),
    byDefault: null,
    variables: ['REPORTS_BASE_PATH'],
  }),
} as const;

export type SettingKey = keyof typeof SETTING_KEYS;

export type SettingValues = {
  readonly [Key in SettingKey]: (typeof SETTING_KEYS)[Key] extends SettingDefinition<infer T> ? T : never;
};

/** A word for several keys: what a flag or variable sets at once. */
export const KEY_GROUPS: { readonly [group: string]: readonly SettingKey[] } = {
  gates: ['gates.bronze', 'gates.silver', 'gates.dims', 'gates.enriched', 'gates.gold'],
  'retention.versions': [
    'retention.silver.versions',
    'retention.dims.versions',
    'retention.enriched.versions',
    'retention.gold.versions',
  ],
  'retention.days': ['retention.silver.days', 'retention.dims.days', 'retention.enriched.days', 'retention.gold.days'],
};

export const isSettingKey = (key: string): key is SettingKey => Object.hasOwn(SETTING_KEYS, key);

/** `warehouse.load` -> `ASSAY_WAREHOUSE_LOAD`. */
export const variableName = (key: string): string => `ASSAY_${key.toUpperCase().replaceAll('.', '_')}`;

/** Bytes of a size as settings write it: `1GB` is 10⁹, `1GiB` is 2³⁰. */
export function parseSize(size: string): number {
  const match = /^(\d+(?:\.\d+)?)\s?([KMGT])(i?)B$/.exec(size.trim());
  if (!match) throw new Error(`no size: ${size}`);
  const [, amount, unit = 'K', binary] = match;
  return Math.round(Number(amount) * (binary ? 1024 : 1000) ** ('KMGT'.indexOf(unit) + 1));
}
