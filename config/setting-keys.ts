/** Every setting: how its text is read, where it comes from besides config.yml, and what it is without being set. */
import { availableParallelism } from 'node:os';
import type { GateMode } from '../core/types.ts';

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

export const SETTING_KEYS = {
  environment: setting({
    describes: 'Which environment: names the section of config.yml and the overlay of the specs.',
    ...oneOf(...ENVIRONMENTS),
    byDefault: 'local' as EnvironmentName,
    variables: ['PIPELINE_ENV'],
  }),
  storage: setting({
    describes: 'Where the lake lies.',
    ...oneOf('local', 'gcs'),
    byDefault: byEnvironment<'local' | 'gcs'>({ local: 'local', dev: 'gcs', prod: 'gcs', sandbox: 'gcs' }),
  }),
  'lake.base_path': setting({
    describes: 'Folder of the lake; each pipeline has a folder of its name in it.',
    ...path,
    byDefault: 'data',
  }),
  'lake.bronze.base_path': setting({
    describes: 'Folder that holds one folder for each bronze table.',
    ...path,
    byDefault: 'data/{pipeline}/bronze',
    variables: ['BRONZE_BASE_PATH'],
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
    byDefault: '.assay',
  }),
  'reports.path': setting({
    describes: 'Folder of the validation reports, instead of the one that the spec names.',
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
};

export const isSettingKey = (key: string): key is SettingKey => Object.hasOwn(SETTING_KEYS, key);

/** `warehouse.load` -> `ASSAY_WAREHOUSE_LOAD`. */
export const variableName = (key: string): string => `ASSAY_${key.toUpperCase().replaceAll('.', '_')}`;
