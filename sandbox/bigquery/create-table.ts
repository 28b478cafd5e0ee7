/** CREATE TABLE -> the table with its partitioning, clustering and options, and the rows of its query. */
import { identifiers } from '../../engine/sql-text.ts';
import { BigQueryError } from './bigquery-error.ts';
import { physicalName, tableText } from './catalog.ts';
import { checkPartitioning, type Grain, type TimePartitioning } from './partitions.ts';
import { castColumns, outputFields } from './query-output.ts';
import { faultAt, type ScriptToken } from './scan-sql.ts';
import type { CreateTable } from './sql-statements.ts';
import { referenceOf, type StatementOutcome, type StatementRun } from './statement-run.ts';
import { type Field, parseFields } from './table-schema.ts';
import { translateQuery } from './translate-query.ts';

interface TableOptions {
  readonly requirePartitionFilter: boolean;
  readonly partitionExpirationMs: number | null;
  readonly description: string | null;
  readonly friendlyName: string | null;
  readonly labels: { readonly [key: string]: string };
  readonly expirationMs: number | null;
}

/** @throws BigQueryError `duplicate` where the table is there and may not be replaced */
export async function createFromStatement(
  run: StatementRun,
  statement: CreateTable,
  nowMs: number,
): Promise<StatementOutcome> {
  const { catalog, script } = run.context;
  const name = run.nameOf(statement.table);
  await catalog.dataset(name.project, name.dataset);
  const type = statement.query ? 'CREATE_TABLE_AS_SELECT' : 'CREATE_TABLE';
  const ddl = (ddlOperationPerformed: string): object => ({ ddlOperationPerformed, ddlTargetTable: referenceOf(name) });
  const existing = await catalog.findTable(name);
  const outcome = { type, bytes: 0, tablesRead: 0, result: null, dmlRows: null };
  if (existing && statement.mode === 'if_not_exists') return { ...outcome, statistics: ddl('SKIP') };
  if (existing && statement.mode === 'create')
    throw new BigQueryError('duplicate', `Already Exists: Table ${tableText(name)}`);
  const translated = statement.query
    ? await translateQuery(run.sql, run.composed([statement.query]), run.context)
    : null;
  const given = translated ? await outputFields(run.sql, translated.sql) : [];
  const fields = statement.columns ? declaredFields(statement.columns) : given;
  const options = readOptions(script, statement, nowMs);
  const partitioning = partitioningOf(statement, options);
  if (partitioning) checkPartitioning(partitioning, fields);
  // The rows are kept aside first: the query may read the table that is replaced.
  if (translated)
    await run.sql.run(`CREATE OR REPLACE TEMP TABLE created AS ${castColumns(fields, given, translated.sql)}`);
  const table = await catalog.createTable({
    ...name,
    fields,
    partitioning,
    clustering: statement.clusterBy,
    requirePartitionFilter: options.requirePartitionFilter,
    description: options.description,
    friendlyName: options.friendlyName,
    labels: options.labels,
    expirationMs: options.expirationMs,
  });
  if (translated) {
    const columns = identifiers(fields.map((field) => field.name));
    await run.sql.run(`INSERT INTO ${physicalName(table)} (${columns}) SELECT ${columns} FROM temp.created`);
    await run.sql.run('DROP TABLE temp.created');
  }
  return {
    ...outcome,
    bytes: translated?.bytes ?? 0,
    tablesRead: translated?.tables.length ?? 0,
    statistics: ddl(existing ? 'REPLACE' : 'CREATE'),
  };
}

function declaredFields(columns: NonNullable<CreateTable['columns']>): readonly Field[] {
  return parseFields(
    columns.map(({ name, type, notNull }) => {
      const [, array] = /^ARRAY<(.+)>$/.exec(type) ?? [];
      const [, base = '', precision, scale] = /^(\w+)(?:\((\d+)(?:,(\d+))?\))?$/.exec(array ?? type) ?? [];
      return { name, type: base, mode: array ? 'REPEATED' : notNull ? 'REQUIRED' : 'NULLABLE', precision, scale };
    }),
  );
}

function partitioningOf(statement: CreateTable, options: TableOptions): TimePartitioning | null {
  if (!statement.partitionBy) return null;
  const expiration = options.partitionExpirationMs;
  return {
    type: (statement.partitionBy.unit ?? 'DAY') as Grain,
    field: statement.partitionBy.column,
    ...(expiration === null ? {} : { expirationMs: expiration }),
  };
}

/** @source GoogleSQL, "Data definition language", table_option_list */
function readOptions(script: string, statement: CreateTable, nowMs: number): TableOptions {
  let options: TableOptions = {
    requirePartitionFilter: false,
    partitionExpirationMs: null,
    description: null,
    friendlyName: null,
    labels: {},
    expirationMs: null,
  };
  for (const { name, value, at } of statement.options) {
    const [first] = value;
    switch (name) {
      case 'description':
        options = { ...options, description: stringOf(first) };
        break;
      case 'friendly_name':
        options = { ...options, friendlyName: stringOf(first) };
        break;
      case 'require_partition_filter':
        options = { ...options, requirePartitionFilter: first?.value === 'TRUE' };
        break;
      case 'partition_expiration_days':
        options = { ...options, partitionExpirationMs: Number(first?.value) * 86_400_000 };
        break;
      case 'labels':
        options = { ...options, labels: labelsOf(value) };
        break;
      case 'expiration_timestamp':
        options = {
          ...options,
          expirationMs: expirationOf(value, nowMs, () =>
            faultAt(script, at, 'Expected a TIMESTAMP literal, or TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL n HOUR)'),
          ),
        };
        break;
      default:
        throw faultAt(script, at, `The sandbox does not imitate the option ${name}`);
    }
  }
  return options;
}

/** `[("key", "value"), …]` */
function labelsOf(tokens: readonly ScriptToken[]): { readonly [key: string]: string } {
  const texts = tokens.filter((token) => token.kind === 'string').map(stringOf);
  return Object.fromEntries(texts.flatMap((text, index) => (index % 2 === 0 ? [[text, texts[index + 1] ?? '']] : [])));
}

/** `TIMESTAMP "2025-01-01 00:00:00+00"`, `TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 2 DAY)` */
function expirationOf(tokens: readonly ScriptToken[], nowMs: number, refuse: () => Error): number {
  const [first, second] = tokens;
  if (first?.value === 'TIMESTAMP' && second?.kind === 'string') {
    const ms = Date.parse(stringOf(second).replace(' UTC', 'Z').replace(' ', 'T'));
    if (!Number.isNaN(ms)) return ms;
  }
  const text = tokens.map((token) => token.value).join(' ');
  const [, amount, unit] =
    /^TIMESTAMP_ADD \( CURRENT_TIMESTAMP \( \) , INTERVAL (\d+) (MINUTE|HOUR|DAY) \)$/.exec(text) ?? [];
  const unitMs = { MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000 }[unit ?? ''];
  if (amount === undefined || unitMs === undefined) throw refuse();
  return nowMs + Number(amount) * unitMs;
}

function stringOf(token: ScriptToken | undefined): string {
  return token?.text.replace(/^[rR]?(['"]{3}|['"])([\s\S]*)\1$/, '$2').replace(/\\(.)/g, '$1') ?? '';
}
