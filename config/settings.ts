/** Flags, environment variables, config.yml and defaults -> one frozen Settings, in which every value knows its origin. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean } from '../core/did-you-mean.ts';
import { PipelineError } from '../core/errors.ts';
import type { JsonValue } from '../core/types.ts';
import type { ConfigEntry, ConfigFile } from './config-file.ts';
import {
  ENVIRONMENTS,
  type EnvironmentName,
  isSettingKey,
  KEY_GROUPS,
  SETTING_KEYS,
  type SettingDefinition,
  type SettingKey,
  type SettingValues,
  variableName,
} from './setting-keys.ts';

const CONFIG_FILE = 'config/config.yml';

export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

export interface SettingSource {
  readonly value: JsonValue;
  /** `flag --strict`, `variable STRICT_FK`, `config/config.yml:12:3 (environments.dev)`, `default of local` */
  readonly origin: string;
}

/** Plain JSON, frozen to the bottom: it is handed to child processes as it is. */
export interface Settings {
  /** The project's root, absolute. */
  readonly root: string;
  readonly environment: EnvironmentName;
  readonly values: SettingValues;
  /** By key: everything that says something about it, the one that won first. */
  readonly sources: { readonly [Key in SettingKey]: readonly SettingSource[] };
}

export interface ReadSettingsOptions {
  readonly root: string;
  /** By key (`gates.silver`) or group (`gates`), as text. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  readonly env?: EnvironmentVariables;
}

/** The variables of this process: for `${VAR}` in specs, and for child processes. */
export function environmentVariables(): EnvironmentVariables {
  return process.env;
}

/**
 * Flag > environment variable > `environments.<name>` of config.yml > the rest of config.yml > default.
 * A variable that is empty counts as unset. A project without config.yml has the defaults.
 *
 * @throws PipelineError `setting_invalid` with every wrong value and unknown key
 */
export async function readSettings({ root, flags = {}, env = process.env }: ReadSettingsOptions): Promise<Settings> {
  const text = await readFile(join(root, CONFIG_FILE), 'utf8').catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return '';
    throw new PipelineError('setting_invalid', `${CONFIG_FILE} cannot be read: ${thrown.message}.`, { cause: thrown });
  });
  const { entries, faults } = await parsed(text);
  const problems = faults.map((message): Problem => ({ message: `${message}.`, context: { file: CONFIG_FILE } }));
  problems.push(...unknownKeys(flags, entries));

  const chosen = resolveSetting('environment', null, flags, env, entries);
  const environment = chosen.sources[0]?.value as EnvironmentName;
  const resolved = settingKeys().map((key) =>
    key === 'environment' ? chosen : resolveSetting(key, environment, flags, env, entries),
  );
  problems.push(...resolved.flatMap((setting) => setting.problems));
  if (problems.length > 0) throw invalid(problems);

  const settings = {
    root,
    environment,
    values: Object.fromEntries(resolved.map(({ key, sources }) => [key, sources[0]?.value])),
    sources: Object.fromEntries(resolved.map(({ key, sources }) => [key, sources])),
  } as unknown as Settings;
  return deepFreeze(settings);
}

/** The YAML parser loads where there is something to parse: a file as `init` makes it holds comments alone. */
async function parsed(text: string): Promise<ConfigFile> {
  if (/^(\s*(#.*)?(\r?\n|$))*$/.test(text)) return { entries: [], faults: [] };
  const { parseConfigFile } = await import('./config-file.ts');
  return parseConfigFile(text, CONFIG_FILE);
}

export interface ExplainedSetting {
  readonly key: SettingKey;
  readonly value: JsonValue;
  readonly origin: string;
  /** What it won against, strongest first. */
  readonly overridden: readonly SettingSource[];
  readonly describes: string;
  readonly allowed: string;
}

/**
 * As people may see it: the password in an address is left out.
 *
 * @throws PipelineError `setting_invalid` for a key that there is not
 */
export function explainSetting(settings: Settings, key: string): ExplainedSetting {
  if (!isSettingKey(key)) throw invalid([unknownKey(key, 'the key to explain')]);
  const [winner, ...overridden] = settings.sources[key].map(({ value, origin }) => ({
    value: typeof value === 'string' ? withoutPassword(value) : value,
    origin,
  }));
  if (!winner) throw new Error(`setting ${key} has no source`);
  const { describes, allowed } = SETTING_KEYS[key];
  return { key, value: winner.value, origin: winner.origin, overridden, describes, allowed };
}

/** `http://ada:secret@proxy:3128` -> `http://ada:***@proxy:3128` */
export const withoutPassword = (text: string): string => text.replace(/(\/\/[^/\s:@]*):[^/\s]*@/g, '$1:***@');

export const settingKeys = (): readonly SettingKey[] => Object.keys(SETTING_KEYS).filter(isSettingKey);

interface Problem {
  readonly message: string;
  readonly context: { readonly [key: string]: JsonValue };
}

interface RawSource {
  /** The key or group as it was set. */
  readonly name: string;
  readonly raw: unknown;
  readonly origin: string;
}

interface ResolvedSetting {
  readonly key: SettingKey;
  /** Strongest first; the default is the last. */
  readonly sources: readonly SettingSource[];
  readonly problems: readonly Problem[];
}

/** A wrong value is a problem even where a stronger one hides it. */
function resolveSetting(
  key: SettingKey,
  environment: EnvironmentName | null,
  flags: NonNullable<ReadSettingsOptions['flags']>,
  env: EnvironmentVariables,
  entries: readonly ConfigEntry[],
): ResolvedSetting {
  const definition = SETTING_KEYS[key] as SettingDefinition<JsonValue>;
  const sources: SettingSource[] = [];
  const problems: Problem[] = [];
  for (const source of [
    ...flagSources(key, flags),
    ...variableSources(key, env),
    ...configSources(key, entries, environment),
  ]) {
    const value = definition.parse(source.raw);
    if (value === undefined) problems.push(badValue(key, source));
    else sources.push({ value, origin: source.origin });
  }
  sources.push(defaultSource(definition, environment ?? 'local'));
  return { key, sources, problems };
}

/** The key itself, then the group that it is in: `gates.silver` is closer than `gates`. */
function namesFor(key: SettingKey): readonly string[] {
  const groups = Object.entries(KEY_GROUPS).filter(([, members]) => members.includes(key));
  return [key, ...groups.map(([group]) => group)];
}

function flagSources(key: SettingKey, flags: NonNullable<ReadSettingsOptions['flags']>): readonly RawSource[] {
  return namesFor(key).flatMap((name) =>
    flags[name] === undefined ? [] : [{ name, raw: flags[name], origin: `flag ${name}` }],
  );
}

function variableSources(key: SettingKey, env: EnvironmentVariables): readonly RawSource[] {
  const aliases = (SETTING_KEYS[key] as SettingDefinition<unknown>).variables ?? [];
  const variables = [
    ...aliases.map((variable) => ({ name: key, variable })),
    ...namesFor(key).map((name) => ({ name, variable: variableName(name) })),
  ];
  return variables.flatMap(({ name, variable }) => {
    const raw = env[variable];
    return raw === undefined || raw === '' ? [] : [{ name, raw, origin: `variable ${variable}` }];
  });
}

function configSources(
  key: SettingKey,
  entries: readonly ConfigEntry[],
  environment: EnvironmentName | null,
): readonly RawSource[] {
  const scopes = environment === null ? [null] : [environment, null];
  return scopes.flatMap((scope) =>
    namesFor(key).flatMap((name) =>
      entries
        .filter((entry) => entry.environment === scope && entry.key === name)
        .map((entry) => ({
          name,
          raw: entry.value,
          origin: scope === null ? entry.place : `${entry.place} (environments.${scope})`,
        })),
    ),
  );
}

function defaultSource(definition: SettingDefinition<JsonValue>, environment: EnvironmentName): SettingSource {
  const { byDefault } = definition;
  return typeof byDefault === 'function'
    ? { value: byDefault(environment), origin: `default of ${environment}` }
    : { value: byDefault, origin: 'default' };
}

function unknownKeys(
  flags: NonNullable<ReadSettingsOptions['flags']>,
  entries: readonly ConfigEntry[],
): readonly Problem[] {
  const isKnown = (key: string) => isSettingKey(key) || Object.hasOwn(KEY_GROUPS, key);
  const unknownFlags = Object.keys(flags).filter((key) => flags[key] !== undefined && !isKnown(key));
  return [
    ...unknownFlags.map((key) => unknownKey(key, '--set')),
    ...entries.flatMap((entry): readonly Problem[] => {
      const { environment, key, place } = entry;
      if (environment !== null && !ENVIRONMENTS.some((name) => name === environment)) {
        return [unknownWord(`${place}: there is no environment "${environment}"`, environment, ENVIRONMENTS, place)];
      }
      const isMisplaced = environment !== null && key === 'environment';
      return isKnown(key) && !isMisplaced ? [] : [unknownKey(key, place)];
    }),
  ];
}

const unknownKey = (key: string, where: string): Problem =>
  unknownWord(`${where}: there is no setting "${key}"`, key, [...settingKeys(), ...Object.keys(KEY_GROUPS)], where);

function unknownWord(message: string, word: string, known: readonly string[], origin: string): Problem {
  const near = didYouMean(word, known);
  const hint = near
    ? `Did you mean "${near}"?`
    : known.length > 20
      ? 'assay config show lists all.'
      : `Known: ${known.join(', ')}.`;
  return { message: `${message}. ${hint}`, context: { key: word, origin } };
}

function badValue(key: SettingKey, { name, raw, origin }: RawSource): Problem {
  const { allowed } = SETTING_KEYS[key];
  const value = withoutPassword(typeof raw === 'string' ? raw : JSON.stringify(raw));
  return {
    message: `${name} cannot be "${value}" (${origin}). Allowed: ${allowed}.`,
    context: { key: name, value, origin, allowed },
  };
}

/** A group's wrong value is wrong for each of its keys; it is told once. */
function invalid(problems: readonly Problem[]): PipelineError {
  const messages = new Set(problems.map((problem) => problem.message));
  return new PipelineError('setting_invalid', [...messages].join('\n'), { context: problems[0]?.context ?? {} });
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
