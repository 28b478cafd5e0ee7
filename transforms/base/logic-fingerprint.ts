/** A table's spec part and the settings that bear on it -> one hash: equal hashes build equal rows from equal bronze. */
import { fingerprint } from '../../core/fingerprint.ts';
import type { Spec, TableSpec } from '../../core/spec.ts';

/** Raised whenever the generated SQL changes what it makes of the same bronze. */
const CODE_VERSION = 1;

export interface BaseSettings {
  readonly timezone: string;
  /** Compared trimmed, in lower case. */
  readonly nullValues: readonly string[];
  readonly strictForeignKeys: boolean;
}

export function baseSettings(spec: Spec, strictForeignKeys: boolean): BaseSettings {
  return { timezone: spec.timezone, nullValues: spec.nullValues, strictForeignKeys };
}

/** Descriptions, tags, owners, checks and limits are left out: they never change a row. */
export function logicFingerprint(table: TableSpec, settings: BaseSettings): string {
  const checksForeignKeys = settings.strictForeignKeys && table.foreignKeys.length > 0;
  return fingerprint({
    code: CODE_VERSION,
    timezone: settings.timezone,
    nullValues: settings.nullValues,
    source: [table.source.partitionKey, table.source.select],
    partitionKey: table.partitionKey,
    primaryKey: table.primaryKey,
    identity: table.identity,
    orderBy: table.orderBy,
    duplicateReason: table.duplicateReason,
    columns: table.columns.map((column) => ({
      ...column,
      pii: undefined,
      policyTags: undefined,
      description: undefined,
    })),
    rules: table.rules.map(({ reason, when }) => [reason, when]),
    foreignKeys: checksForeignKeys
      ? table.foreignKeys.map(({ column, references, exempt, reason }) => [column, references, exempt, reason])
      : null,
  });
}

/** What a publication remembers of a bronze partition that it holds: content and logic in one, so that a change of either is a change. */
export function inputFingerprint(bronzeFingerprint: string, logic: string): string {
  return fingerprint([bronzeFingerprint, logic]);
}
