/** What the YAML says, plus every default and derived name -> the Spec. Pure; what is missing or wrong is check-spec's to say. */
import { fingerprint } from '../core/fingerprint.ts';
import { tableReferences } from '../core/google-sql.ts';
import type {
  CheckSpec,
  ColumnNote,
  ColumnSpec,
  DagSpec,
  DagTaskSpec,
  DimSpec,
  ForeignKeySpec,
  MartSpec,
  MetricsSpec,
  SourceLocation,
  SourceSpec,
  Spec,
  TableSpec,
  TransformSpec,
  TransformWindow,
  WarehouseSpec,
} from '../core/spec.ts';
import {
  type ColumnType,
  type JsonObject,
  LAYERS,
  type Layer,
  type RetryPolicy,
  type Schedule,
} from '../core/types.ts';
import { bindParams } from './bind-params.ts';
import { BUILTIN_TRANSFORMS, builtinName } from './builtin-transforms.ts';
import { readCronSyntax } from './cron-syntax.ts';
import { parseDays, parseDurationMs, parseLimit } from './parse-quantities.ts';
import type { ShapedSpec } from './shape-issues.ts';
import type {
  RawCheck,
  RawColumn,
  RawColumnNote,
  RawDag,
  RawDim,
  RawForeignKey,
  RawMart,
  RawSpec,
  RawTable,
  RawTask,
  RawTransform,
  RawWarehouse,
} from './spec-schema.ts';
import { locationAt, type TreePath } from './yaml-tree.ts';

const DEFAULT_PARTITION_KEY = 'ingestion_dt';

interface Resolving {
  readonly folder: string;
  readonly params: JsonObject;
  readonly owner: string;
  readonly timezone: string;
  readonly quality: {
    readonly sla: number;
    readonly minRows: number;
    readonly maxQuarantinePct: number;
    readonly maxRowLossPct: number;
  };
  readonly at: (path: TreePath) => SourceLocation;
}

/** `folder` is relative to the project root; the last part of it names a pipeline that has no name. */
export function resolveSpec({ raw, tree }: ShapedSpec, folder: string): Spec {
  const pipeline = raw.pipeline ?? folder.replace(/^.*\//, '');
  const quality = raw.defaults?.quality;
  const base: Resolving = {
    folder,
    params: paramsOf(raw.params),
    owner: raw.owner ?? 'unassigned',
    timezone: raw.defaults?.timezone ?? 'UTC',
    quality: {
      sla: quality?.sla ?? 0.95,
      minRows: quality?.min_rows ?? 1,
      maxQuarantinePct: quality?.max_quarantine_pct ?? 5,
      maxRowLossPct: quality?.max_row_loss_pct ?? 1,
    },
    at: (path) => locationAt(tree, path),
  };
  const tables = (raw.base_silver?.tables ?? []).map((table, index) =>
    resolveTable(table, ['base_silver', 'tables', index], base),
  );
  const spec = {
    pipeline,
    owner: base.owner,
    params: base.params,
    timezone: base.timezone,
    nullValues: nullValues(raw),
    maxQuarantinePct: base.quality.maxQuarantinePct,
    maxRowLossPct: base.quality.maxRowLossPct,
    reportDir: raw.validation?.output_dir ?? `docs/validation_reports/${pipeline}`,
    tables,
    dims: (raw.dims ?? []).map((dim, index) => resolveDim(dim, ['dims', index], tables, base)),
    transforms: (raw.enriched_silver?.transforms ?? []).map((transform, index) =>
      resolveTransform(transform, ['enriched_silver', 'transforms', index], raw, base),
    ),
    marts: (raw.gold?.marts ?? []).map((mart, index) => resolveMart(mart, ['gold', 'marts', index], base)),
    dags: (raw.dags ?? []).map((dag, index) => resolveDag(dag, ['dags', index], base)),
  };
  return { ...spec, folder, fingerprint: fingerprint(withoutPlaces(spec)) };
}

/** Params come out of YAML, so they are JSON; the schema leaves them open. */
const paramsOf = (params: { readonly [key: string]: unknown } | undefined): JsonObject => (params ?? {}) as JsonObject;

function nullValues(raw: RawSpec): readonly string[] {
  const written = raw.defaults?.null_values ?? ['', 'none', 'null', 'n/a', 'nan'];
  return [...new Set(written.map((value) => String(value).trim().toLowerCase()))];
}

/** A comment above a table moves it to another line: places are no part of what a spec says. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (isPlace(inner) ? [] : [[key, withoutPlaces(inner)]])),
  );
}

function isPlace(value: unknown): boolean {
  return value !== null && typeof value === 'object' && Object.keys(value).sort().join() === 'column,file,line';
}

function resolveTable(raw: RawTable, path: TreePath, base: Resolving): TableSpec {
  const primaryKey = raw.primary_key ?? [];
  return {
    name: raw.name,
    description: raw.description ?? '',
    owner: raw.owner ?? base.owner,
    tags: raw.tags ?? [],
    source: resolveSource(raw),
    partitionKey: raw.partition_key ?? DEFAULT_PARTITION_KEY,
    primaryKey,
    identity: raw.identity ?? [],
    foreignKeys: (raw.foreign_keys ?? []).map(resolveForeignKey),
    columns: (raw.columns ?? []).map((column) => resolveColumn(column, base)),
    rules: (raw.rules ?? []).map((rule, index) => ({
      reason: rule.reason,
      when: bindParams(rule.when ?? '', base.params),
      location: base.at([...path, 'rules', index]),
    })),
    checks: resolveChecks(raw.checks, path, base.params, base),
    quality: {
      sla: raw.quality?.sla ?? base.quality.sla,
      minRows: raw.quality?.min_rows ?? base.quality.minRows,
      allowEmpty: raw.quality?.allow_empty ?? false,
      maxQuarantinePct: raw.quality?.max_quarantine_pct ?? base.quality.maxQuarantinePct,
      maxRowLossPct: raw.quality?.max_row_loss_pct ?? base.quality.maxRowLossPct,
    },
    duplicateReason: raw.duplicate_reason ?? `duplicate_${primaryKey.join('_').toLowerCase()}`,
    orderBy: raw.order_by ?? ['ingestion_ts'],
    warehouse: resolveWarehouse(raw.warehouse),
    location: base.at(path),
  };
}

function resolveSource(raw: RawTable): SourceSpec {
  const source = raw.source ?? {};
  const partitionKey = source.partition_key === undefined ? 'ingest_dt' : source.partition_key;
  const manifest = source.manifest?.required === false ? 'none' : 'required';
  const landing = source.landing;
  const format = landing?.format ?? (landing?.path?.toLowerCase().endsWith('.tsv') ? 'tsv' : 'csv');
  return {
    table: source.table ?? raw.name,
    format: source.format ?? 'parquet',
    partitionKey,
    // A landing file has no day of its own: once it is in bronze, a later day finds it unchanged.
    select: source.select ?? (partitionKey === 'ingest_dt' && !source.landing ? 'interval' : 'changed'),
    checksum: source.manifest?.checksum ?? (manifest === 'none' ? 'none' : 'bytes'),
    manifest,
    landing: landing
      ? {
          path: landing.path ?? '',
          format,
          delimiter: landing.delimiter ?? (format === 'tsv' ? '\t' : ','),
          header: landing.header ?? true,
        }
      : null,
  };
}

function resolveColumn(raw: RawColumn, base: Resolving): ColumnSpec {
  const type = columnType(raw.type);
  const isRequired = raw.required ?? false;
  const mayFailToCast = raw.expr === undefined && type !== 'string';
  return {
    name: raw.name,
    type,
    sourceName: raw.source ?? raw.name,
    required: isRequired,
    clean: raw.clean ?? (raw.expr === undefined ? 'trim' : 'none'),
    expr: raw.expr === undefined ? null : bindParams(raw.expr, base.params),
    pii: raw.pii ?? null,
    ...(raw.policy_tags === undefined ? {} : { policyTags: raw.policy_tags }),
    description: raw.description ?? '',
    missingReason: isRequired ? (raw.reason ?? `missing_${raw.name.toLowerCase()}`) : null,
    invalidReason:
      mayFailToCast && (isRequired || raw.on_invalid === 'quarantine')
        ? (raw.reason ?? `invalid_${raw.name.toLowerCase()}`)
        : null,
    format: raw.format ?? null,
  };
}

function resolveWarehouse(raw: RawWarehouse | undefined): WarehouseSpec | null {
  if (raw === undefined) return null;
  return {
    clusterBy: raw.cluster_by ?? [],
    options: {
      labels: raw.labels ?? {},
      requirePartitionFilter: raw.require_partition_filter ?? false,
      partitionExpirationDays: raw.partition_expiration_days ?? null,
    },
  };
}

const resolveNote = (raw: RawColumnNote): ColumnNote => ({
  name: raw.name,
  description: raw.description ?? '',
  ...(raw.policy_tags === undefined ? {} : { policyTags: raw.policy_tags }),
});

/** `decimal(18, 2)` -> `decimal(18,2)`. */
const columnType = (raw: string | undefined): ColumnType => (raw ?? 'string').replaceAll(' ', '') as ColumnType;

function resolveForeignKey(raw: RawForeignKey): ForeignKeySpec {
  const [table = '', column = ''] = (raw.references ?? '').split('.');
  const parent = raw.column.replace(/_id$/i, '').toLowerCase();
  return {
    id: `fk_${parent}`,
    column: raw.column,
    references: { table, column },
    exempt: raw.exempt ?? null,
    minIntegrity: raw.min_integrity ?? 0.99,
    reason: raw.reason ?? `${parent}_fk_invalid`,
  };
}

function resolveChecks(
  checks: readonly RawCheck[] | undefined,
  path: TreePath,
  params: JsonObject,
  base: Resolving,
): readonly CheckSpec[] {
  return (checks ?? []).map((raw, index) => {
    const saysNoLimit = raw.warn_if === undefined && raw.fail_if === undefined;
    return {
      id: raw.id,
      description: raw.description ?? '',
      column: raw.column ?? null,
      acceptedValues: raw.accepted_values?.map(String) ?? null,
      range: raw.range ? { min: raw.range.min ?? null, max: raw.range.max ?? null } : null,
      regex: raw.regex ?? null,
      notNull: raw.not_null ?? false,
      unique: raw.unique ?? null,
      sql: raw.sql === undefined ? null : bindParams(raw.sql, params),
      warnIf: raw.warn_if === undefined ? null : parseLimit(raw.warn_if),
      failIf: raw.fail_if === undefined ? (saysNoLimit ? parseLimit('> 0') : null) : parseLimit(raw.fail_if),
      location: base.at([...path, 'checks', index]),
    };
  });
}

function resolveDim(raw: RawDim, path: TreePath, tables: readonly TableSpec[], base: Resolving): DimSpec {
  return {
    name: raw.name,
    snapshotPartitionKey: raw.snapshot_partition_key ?? 'snapshot_dt',
    primaryKey: raw.primary_key ?? tables.find((table) => table.name === raw.name)?.primaryKey ?? [],
    freshnessHours: raw.freshness_hours ?? 24,
    where: raw.where === undefined ? null : bindParams(raw.where, base.params),
    checks: resolveChecks(raw.checks, path, base.params, base),
    location: base.at(path),
  };
}

function resolveTransform(raw: RawTransform, path: TreePath, rawSpec: RawSpec, base: Resolving): TransformSpec {
  const own = paramsOf(raw.params);
  const params = { ...base.params, ...own };
  const builtin = raw.file === undefined ? builtinName(raw.name) : null;
  const defaults = builtin === null ? undefined : BUILTIN_TRANSFORMS[builtin];
  const primaryKey = raw.primary_key ?? defaults?.primaryKey ?? [];
  const tableNames = new Set((rawSpec.base_silver?.tables ?? []).map((table) => table.name));
  return {
    name: raw.name,
    description: raw.description ?? '',
    implementation:
      raw.file === undefined
        ? { kind: 'builtin', name: builtin ?? raw.name }
        : { kind: 'file', path: modulePath(base.folder, raw.file) },
    dependsOn:
      raw.depends_on ??
      (defaults ? [...defaults.required, ...defaults.optional.filter((input) => tableNames.has(input))] : []),
    partitionKey: raw.partition_key ?? defaults?.partitionKey ?? '',
    primaryKey,
    window: resolveWindow(raw.window) ?? defaults?.window(params) ?? { kind: 'days', before: 0, after: 0 },
    minRows: raw.min_rows ?? 1,
    keyFields: raw.key_fields ?? defaults?.keyFields ?? primaryKey,
    checks: resolveChecks(raw.checks, path, params, base),
    params: own,
    columns: (raw.columns ?? []).map(resolveNote),
    warehouse: resolveWarehouse(raw.warehouse),
    location: base.at(path),
  };
}

function resolveWindow(raw: RawTransform['window']): TransformWindow | null {
  if (raw === undefined) return null;
  return raw === 'as_of'
    ? { kind: 'as_of' }
    : { kind: 'days', before: parseDays(raw.before), after: parseDays(raw.after) };
}

/** A module named relative to the spec's folder -> relative to the project root, without `.` and `..` steps. */
export function modulePath(folder: string, file: string): string {
  const steps: string[] = [];
  for (const step of `${folder}/${file}`.split('/')) {
    if (step === '..' && steps.length > 0 && steps.at(-1) !== '..') steps.pop();
    else if (step !== '.' && step !== '') steps.push(step);
  }
  return steps.join('/');
}

function resolveMart(raw: RawMart, path: TreePath, base: Resolving): MartSpec {
  const sql = raw.sql ?? '';
  const inputs = martInputs(sql);
  const warehouse = resolveWarehouse(raw.warehouse);
  const columns = (raw.columns ?? []).map((column) => ({ ...resolveNote(column), type: columnType(column.type) }));
  return {
    name: raw.name,
    description: raw.description ?? '',
    grain: raw.grain ?? [],
    partitionKey: raw.partition_key ?? null,
    clusterBy: raw.cluster_by ?? warehouse?.clusterBy ?? [],
    columns,
    sql,
    sqlLocation: base.at([...path, 'sql']),
    inputs,
    reads: Object.fromEntries(
      Object.entries(raw.reads ?? {}).map(([input, how]) => {
        const found = inputs.find(({ layer, table }) => input === table || input === `${layer}.${table}`);
        return [found ? `${found.layer}.${found.table}` : input, how];
      }),
    ),
    checks: resolveChecks(raw.checks, path, base.params, base),
    warehouse: warehouse?.options ?? null,
    metrics: resolveMetrics(raw.metrics, columns, base.params),
    location: base.at(path),
  };
}

function resolveMetrics(raw: RawMart['metrics'], columns: MartSpec['columns'], params: JsonObject): MetricsSpec | null {
  if (raw === undefined) return null;
  const typeOf = (name: string): ColumnType | undefined =>
    columns.find((column) => column.name.toLowerCase() === name.toLowerCase())?.type;
  return {
    time: raw.time ?? null,
    measures: (raw.measures ?? []).map((measure) => ({
      name: measure.name,
      sql: bindParams(measure.sql ?? '', params),
      type: measure.type === undefined || measure.type === 'number' ? 'number' : columnType(measure.type),
      description: measure.description ?? '',
      format: measure.format ?? null,
    })),
    dimensions: (raw.dimensions ?? []).map((dimension) => {
      const column = dimension.column ?? dimension.name;
      const isComputed = dimension.sql !== undefined;
      return {
        name: dimension.name,
        sql: isComputed ? bindParams(dimension.sql ?? '', params) : `\`${column}\``,
        type: isComputed ? columnType(dimension.type) : (typeOf(column) ?? 'string'),
        description:
          dimension.description ??
          (isComputed
            ? ''
            : (columns.find(({ name }) => name.toLowerCase() === column.toLowerCase())?.description ?? '')),
      };
    }),
  };
}

function martInputs(sql: string): MartSpec['inputs'] {
  return tableReferences(sql).flatMap(({ layer, table }) => (isLayer(layer) ? [{ layer, table }] : []));
}

export const isLayer = (word: string | null): word is Layer => (LAYERS as readonly (string | null)[]).includes(word);

function resolveDag(raw: RawDag, path: TreePath, base: Resolving): DagSpec {
  return {
    id: raw.id,
    description: raw.description ?? '',
    schedule: resolveSchedule(raw.schedule, base.timezone),
    maxActiveRuns: raw.max_active_runs ?? 1,
    tags: raw.tags ?? [],
    tasks: (raw.tasks ?? []).map((task, index) => resolveTask(task, [...path, 'tasks', index], base)),
    location: base.at(path),
  };
}

function resolveSchedule(raw: RawDag['schedule'], timezone: string): Schedule | null {
  if (!raw) return null;
  const syntax = readCronSyntax(raw.cron ?? '');
  const isDaily = syntax.valid && syntax.isEveryDay && syntax.ticksPerDay === 1;
  return {
    cron: raw.cron ?? '',
    timezone: raw.timezone ?? timezone,
    window: raw.window ?? (isDaily ? 'previous_day' : 'since_last'),
    catchup: raw.catchup ?? 'none',
  };
}

function resolveTask(raw: RawTask, path: TreePath, base: Resolving): DagTaskSpec {
  return {
    id: raw.id,
    kind: raw.kind ?? 'empty',
    layer: raw.layer ?? null,
    triggerRule: raw.trigger_rule ?? 'all_success',
    retry: resolveRetry(raw.retry),
    timeoutMs: raw.timeout === undefined ? null : parseDurationMs(raw.timeout),
    params: taskParams(raw),
    dependsOn: raw.depends_on ?? null,
    only: raw.tables ?? null,
    except: raw.except ?? [],
    location: base.at(path),
  };
}

function taskParams(raw: RawTask): JsonObject {
  switch (raw.kind) {
    case 'branch':
      // biome-ignore lint/suspicious/noThenProperty: the spec's own word; its value is a text and never called
      return { if: raw.if ?? '', then: raw.then ?? '', else: raw.else ?? '' };
    case 'short_circuit':
      return { setting: raw.setting ?? '' };
    case 'trigger_dag':
      return { dag: raw.dag ?? '', wait: raw.wait ?? true };
    default:
      return {};
  }
}

function resolveRetry(raw: RawTask['retry']): Partial<RetryPolicy> | null {
  if (!raw) return null;
  return {
    ...(raw.retries === undefined ? {} : { retries: raw.retries }),
    ...(raw.delay === undefined ? {} : { delayMs: parseDurationMs(raw.delay) }),
    ...(raw.exponential_backoff === undefined ? {} : { exponentialBackoff: raw.exponential_backoff }),
    ...(raw.max_delay === undefined ? {} : { maxDelayMs: parseDurationMs(raw.max_delay) }),
  };
}
