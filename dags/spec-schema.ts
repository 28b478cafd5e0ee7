/** The YAML that a user writes, as a zod schema: the shape alone; what refers to what is checked by check-spec. */
import { z } from 'zod';
import { TASK_KINDS, TRIGGER_RULES } from '../core/types.ts';

/**
 * A message `code: what is expected` becomes an issue of that code; the shape-issues module splits it.
 * Only what a thing is found by (name, id, column, reason) is required here, so that an overlay has the same
 * schema as the file that it changes; check-spec asks for the rest.
 */
const name = () =>
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'bad_name: letters, digits and _, not beginning with a digit');
const dottedName = () =>
  z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
      'bad_name: letters, digits, "_", "-" and ".", beginning with a letter or digit',
    );
const taskName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'bad_name: letters, digits, "_" and "-", beginning with a letter or digit');
const reasonCode = () => z.string().regex(/^[a-z][a-z0-9_]*$/, 'bad_name: a code in lower case, e.g. negative_total');
const names = () => z.array(name());
const text = () => z.string();
const share = (what: string) => z.number(`bad_type: ${what}`).min(0, `bad_value: ${what}`).max(1, `bad_value: ${what}`);
const percent = () => z.number().min(0, 'bad_value: 0 to 100').max(100, 'bad_value: 0 to 100');
const count = () => z.int('bad_type: a whole number').min(0, 'bad_value: a whole number, 0 or more');
const duration = () =>
  z.string().regex(/^\d+(ms|s|m|h|d)$/, 'bad_duration: a number with its unit: 500ms, 30s, 5m, 2h or 1d');

const COLUMN_TYPES = ['string', 'int64', 'float64', 'bool', 'date', 'timestamp'] as const;
const TYPE_WANTED = `unknown_type: ${COLUMN_TYPES.join(', ')} or decimal(p,s) with p up to 38`;
const columnType = () =>
  z.union(
    [
      z.enum(COLUMN_TYPES),
      z.string().regex(/^decimal\(([1-9]|[12][0-9]|3[0-8]), ?([0-9]|[12][0-9]|3[0-8])\)$/, TYPE_WANTED),
    ],
    TYPE_WANTED,
  );

const LIMIT_WANTED = 'bad_limit: a comparison with a count or a share of rows, e.g. "> 0" or "> 1%"';
const limit = () => z.string(LIMIT_WANTED).regex(/^\s*(>=|>|<=|<)\s*\d+(\.\d+)?\s*%?\s*$/, LIMIT_WANTED);

const check = z.strictObject({
  id: name().describe('Names the check in reports; unique in its table.'),
  description: text().optional().describe('What is promised, in words.'),
  column: name().optional().describe('Column that accepted_values, range, regex or not_null measure.'),
  accepted_values: z
    .array(z.union([z.string(), z.number(), z.boolean()], 'bad_type: texts, numbers or booleans'))
    .optional()
    .describe('The only values that may stand there, after cleaning; null is not counted.'),
  range: z
    .strictObject({ min: z.number().optional(), max: z.number().optional() })
    .optional()
    .describe('Least and greatest value, both allowed.'),
  regex: text().optional().describe('Pattern that every value matches somewhere; ^ and $ for the whole of it.'),
  not_null: z.boolean().optional(),
  unique: names().optional().describe('Columns that no two rows may share.'),
  sql: text().optional().describe('GoogleSQL condition; true for an offending row. @name stands for a parameter.'),
  warn_if: limit().optional().describe('From which count or share of offending rows on the check warns, e.g. "> 0".'),
  fail_if: limit().optional().describe('From which count or share on it fails. Default, where neither is said: "> 0".'),
});

const TAG_WANTED = 'bad_value: projects/<project>/locations/<location>/taxonomies/<id>/policyTags/<id>';
const policyTags = () =>
  z
    .array(
      z.string().regex(/^projects\/[^/\s]+\/locations\/[^/\s]+\/taxonomies\/[^/\s]+\/policyTags\/[^/\s]+$/, TAG_WANTED),
    )
    .max(1, 'bad_value: one policy tag, as a column of BigQuery has no more')
    .optional()
    .describe(
      'Resource name of the policy tag that guards the column in a cloud warehouse. Default: as the table has it.',
    );

const warehouse = z.strictObject({
  cluster_by: names()
    .max(4, 'bad_value: at most 4 columns')
    .optional()
    .describe('Columns that its rows are sorted by.'),
  labels: z
    .record(z.string(), z.string())
    .optional()
    .describe('Lower-case keys and values of letters, digits, _ and -, at most 63 characters each.'),
  require_partition_filter: z
    .boolean()
    .optional()
    .describe('Must every query name the partitions that it reads? Default: false.'),
  partition_expiration_days: z
    .int('bad_type: a whole number of days')
    .min(1, 'bad_value: 1 day or more')
    .optional()
    .describe('Partitions older than this are dropped by the warehouse. Default: never.'),
});

const columnNote = {
  name: name(),
  description: text().optional(),
  policy_tags: policyTags(),
};

const column = z.strictObject({
  name: name(),
  type: columnType().optional().describe('Type in silver. Default: string.'),
  source: text()
    .min(1, 'bad_value: a column name of bronze')
    .optional()
    .describe('Name in bronze. Default: the same name.'),
  required: z.boolean().optional().describe('A row without a value is quarantined as missing_<column>.'),
  clean: z.enum(['trim', 'lower', 'upper', 'none']).optional().describe('Cleaning of text. Default: trim.'),
  expr: text()
    .optional()
    .describe('GoogleSQL over the typed columns and those derived above; the column is then computed, not read.'),
  pii: text().optional().describe('Tag of personal data, e.g. email; reports mask such columns.'),
  policy_tags: policyTags(),
  description: text().optional(),
  reason: reasonCode().optional().describe('One code for both a missing and an unreadable value.'),
  on_invalid: z
    .enum(['set_null', 'quarantine'])
    .optional()
    .describe(
      'What becomes of text that does not cast, where the column is not required. Default: set_null, counted by cast_<column>.',
    ),
  format: text().optional().describe('strptime format of a date or timestamp. Default: ISO 8601.'),
});

const foreignKey = z.strictObject({
  column: name(),
  references: z
    .string()
    .regex(/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/, 'bad_name: table.column, e.g. customers.customer_id')
    .optional()
    .describe('Parent: table.column.'),
  exempt: text().nullable().optional().describe('LIKE pattern of values that need no parent, e.g. "GUEST-%".'),
  min_integrity: share('a share, 0 to 1')
    .optional()
    .describe('Least share of rows with a parent, 0 to 1. Default: 0.99.'),
  reason: reasonCode().optional().describe('Default: <column without _id>_fk_invalid.'),
});

const rule = z.strictObject({
  reason: reasonCode().describe('Code under which the row is quarantined.'),
  when: text()
    .optional()
    .describe('GoogleSQL over typed columns; the row is quarantined where it is true. NULL is not true.'),
});

const quality = {
  sla: share('a share, 0 to 1').optional().describe('Least share of rows that pass, 0 to 1. Default: 0.95.'),
  min_rows: count().optional().describe('Least rows of a run. Default: 1.'),
  max_quarantine_pct: percent().optional().describe('Most rows quarantined, in percent. Default: 5.'),
  max_row_loss_pct: percent().optional().describe('Most rows unaccounted for, in percent. Default: 1.'),
};

const source = z.strictObject({
  table: z
    .string()
    .regex(/^[^/\\]+$/, 'bad_name: one folder name')
    .optional()
    .describe('Folder under the bronze base path. Default: the table.'),
  format: z.enum(['parquet', 'csv']).optional().describe('Default: parquet.'),
  partition_key: name()
    .nullable()
    .optional()
    .describe('Hive key of bronze; null: files lie directly in the folder. Default: ingest_dt.'),
  select: z
    .enum(['interval', 'changed'])
    .optional()
    .describe(
      'Partitions of the run’s interval, or all whose manifest changed. Default: interval for ingest_dt, else changed.',
    ),
  manifest: z
    .strictObject({
      required: z.boolean().optional().describe('Default: true.'),
      checksum: z
        .enum(['bytes', 'rows', 'none'])
        .optional()
        .describe('What the manifest’s checksum is of. Only bytes can be evaluated. Default: bytes.'),
    })
    .optional(),
  landing: z
    .strictObject({
      path: text().min(1, 'bad_value: a path below the landing base path').optional(),
      format: z.enum(['csv', 'tsv']).optional().describe('Default: by the file’s ending.'),
      delimiter: z.string().length(1, 'bad_value: one character').optional(),
      header: z.boolean().optional().describe('Does the first line name the columns? Default: true.'),
    })
    .optional()
    .describe('A delivered file that is ingested into bronze first.'),
});

const table = z.strictObject({
  name: name(),
  description: text().optional(),
  owner: text().optional(),
  tags: z.array(text()).optional(),
  source: source.optional().describe('Where the rows come from. Default: bronze.<name>, Parquet by ingest_dt.'),
  partition_key: name().optional().describe('Default: ingestion_dt, the bronze ingest_dt.'),
  primary_key: names().optional(),
  identity: names().optional().describe('Columns that say which entity a key names; another value is a key_collision.'),
  foreign_keys: z.array(foreignKey).optional(),
  columns: z.array(column).optional().describe('None: taken from bronze as they lie there.'),
  rules: z.array(rule).optional(),
  checks: z.array(check).optional(),
  quality: z.strictObject({ ...quality, allow_empty: z.boolean().optional() }).optional(),
  duplicate_reason: z
    .string()
    .regex(/^duplicate_[a-z0-9_]+$/, 'bad_name: a code that begins with duplicate_')
    .optional()
    .describe('Default: duplicate_<primary key>.'),
  order_by: names()
    .optional()
    .describe('Which of two rows with one key is newer, greatest first. Default: ingestion_ts.'),
  warehouse: warehouse.optional().describe('How a cloud warehouse keeps the table, where a mart reads it.'),
});

const dim = z.strictObject({
  name: name().describe('The silver table that it is a snapshot of.'),
  snapshot_partition_key: name().optional().describe('Default: snapshot_dt.'),
  primary_key: names().optional().describe('Default: that of the table.'),
  freshness_hours: z
    .number()
    .positive('bad_value: hours, more than 0')
    .optional()
    .describe('How long a snapshot is fresh. Default: 24.'),
  where: text()
    .optional()
    .describe('GoogleSQL; which rows the snapshot holds. @window_start and @window_end are the run’s days.'),
  checks: z.array(check).optional(),
});

const WINDOW_WANTED = 'bad_value: as_of, or {before: 6d, after: 2d} in days';
const days = () => z.union([count(), z.string().regex(/^\d+d$/, WINDOW_WANTED)], WINDOW_WANTED);

const transform = z.strictObject({
  name: name().describe(
    'The table. A built-in transform of that name, with or without int_, computes it, unless file says otherwise.',
  ),
  description: text().optional(),
  file: text().optional().describe('Your own transform: a .ts or .js module, relative to the spec’s folder.'),
  depends_on: names().optional().describe('Its inputs: dims, silver tables, other transforms.'),
  partition_key: name().optional(),
  primary_key: names().optional(),
  window: z
    .union([z.literal('as_of'), z.strictObject({ before: days().optional(), after: days().optional() })], WINDOW_WANTED)
    .optional()
    .describe(
      'How many days of input before and after a day its rows need, or as_of: all history up to the run’s date.',
    ),
  min_rows: count().optional().describe('Default: 1.'),
  key_fields: names().optional().describe('Columns whose null rate is reported. Default: the primary key.'),
  checks: z.array(check).optional(),
  params: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Its own values; those of the pipeline hold for the rest.'),
  columns: z
    .array(z.strictObject(columnNote))
    .optional()
    .describe('What is to be said of columns that it makes; the types are its code’s.'),
  warehouse: warehouse.optional().describe('How a cloud warehouse keeps the table.'),
});

const metrics = z.strictObject({
  time: name().optional().describe('Date column of the mart, by which figures may be grouped.'),
  measures: z
    .array(
      z.strictObject({
        name: name(),
        sql: text().optional().describe('GoogleSQL aggregate over the mart’s columns, e.g. SUM(net_revenue).'),
        type: z
          .union([z.literal('number'), columnType()], TYPE_WANTED)
          .optional()
          .describe('What filters compare it as. Default: number.'),
        description: text().optional(),
        format: text().optional().describe('How clients may show it, e.g. percent or 0.00.'),
      }),
    )
    .optional()
    .describe('Figures.'),
  dimensions: z
    .array(
      z.strictObject({
        name: name(),
        column: name().optional().describe('Default: the column of its name.'),
        sql: text().optional().describe('GoogleSQL over one row of the mart, in place of a column.'),
        type: columnType().optional().describe('Type of sql. Default: string.'),
        description: text().optional(),
      }),
    )
    .optional()
    .describe('What figures may be grouped and filtered by.'),
});

const mart = z.strictObject({
  name: name(),
  description: text().optional(),
  grain: names().optional().describe('Columns that name one row.'),
  partition_key: name().optional().describe('Without it the table is replaced whole.'),
  cluster_by: names().max(4, 'bad_value: at most 4 columns').optional(),
  columns: z.array(z.strictObject({ ...columnNote, type: columnType().optional() })).optional(),
  warehouse: warehouse.optional().describe('How a cloud warehouse keeps the mart.'),
  metrics: metrics.optional().describe('What the mart can be asked for by name, over HTTP and with assay query.'),
  reads: z
    .record(z.string(), z.enum(['same_day', 'next_snapshot', 'latest_snapshot', 'all']))
    .optional()
    .describe('By input (layer.table): which of its partitions a day of the mart needs, where not the same day.'),
  checks: z.array(check).optional(),
  sql: text().optional().describe('GoogleSQL; usually the text of marts/<name>.sql below its header.'),
});

const task = z.strictObject({
  id: taskName(),
  kind: z.enum(TASK_KINDS).optional(),
  layer: z.enum(['bronze', 'silver', 'dims', 'enriched', 'gold']).optional(),
  tables: names().optional().describe('Only these of the layer.'),
  except: names().optional().describe('All of the layer but these.'),
  depends_on: z.array(text()).optional().describe('Default: the task above.'),
  trigger_rule: z.enum(TRIGGER_RULES).optional().describe('Default: all_success.'),
  retry: z
    .strictObject({
      retries: count().optional(),
      delay: duration().optional(),
      exponential_backoff: z.boolean().optional(),
      max_delay: duration().optional(),
    })
    .optional()
    .describe('What is left out is as the environment sets it.'),
  timeout: duration().optional(),
  if: z.enum(['dims_fresh']).optional().describe('branch: the condition.'),
  // biome-ignore lint/suspicious/noThenProperty: the spec's own word; its value is a text and never called
  then: text().optional().describe('branch: the task that runs where it holds.'),
  else: text().optional().describe('branch: the task that runs where it does not.'),
  setting: z
    .enum(['warehouse.load', 'warehouse.marts'], 'unknown_setting: warehouse.load or warehouse.marts')
    .optional()
    .describe('short_circuit: the switch; where it is off, all below is skipped.'),
  dag: text().optional().describe('trigger_dag: which.'),
  wait: z.boolean().optional().describe('trigger_dag: until the run has ended. Default: true.'),
});

const dag = z.strictObject({
  id: dottedName(),
  description: text().optional(),
  tags: z.array(text()).optional(),
  schedule: z
    .strictObject({
      cron: text().optional().describe('Five or six fields, or a name such as @daily.'),
      timezone: text().optional().describe('IANA name. Default: that of the pipeline.'),
      window: z
        .enum(['previous_day', 'same_day', 'since_last'])
        .optional()
        .describe('What a tick covers. Default: previous_day where there is one tick on every day, else since_last.'),
      catchup: z.enum(['none', 'last', 'all']).optional().describe('Which missed ticks run later. Default: none.'),
    })
    .nullable()
    .optional()
    .describe('None: runs when triggered.'),
  max_active_runs: z.int('bad_type: a whole number').min(1, 'bad_value: 1 or more').optional().describe('Default: 1.'),
  tasks: z.array(task).optional(),
});

export const specSchema = z.strictObject({
  version: z.literal(1, 'bad_value: 1').optional().describe('Of this format.'),
  pipeline: taskName().optional().describe('Prefix of every asset. Default: the folder’s name.'),
  description: text().optional(),
  owner: text().optional(),
  params: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Values for transforms, and for @name in SQL conditions.'),
  defaults: z
    .strictObject({
      timezone: text().optional().describe('For times without an offset. Default: UTC.'),
      null_values: z
        .array(z.union([z.string(), z.number()], 'bad_type: texts; put null in quotes'))
        .optional()
        .describe('Texts that mean nothing is there, compared trimmed and in any case.'),
      quality: z.strictObject(quality).optional(),
    })
    .optional()
    .describe('Written once, overridden where a table differs.'),
  validation: z
    .strictObject({
      output_dir: text().optional().describe('Folder of the reports. Default: docs/validation_reports/<pipeline>.'),
    })
    .optional(),
  base_silver: z
    .strictObject({ tables: z.array(table).optional() })
    .optional()
    .describe('Typed, cleaned, checked tables, one a bronze table.'),
  dims: z.array(dim).optional().describe('Daily snapshots of silver tables.'),
  enriched_silver: z.strictObject({ transforms: z.array(transform).optional() }).optional(),
  gold: z
    .strictObject({ marts: z.array(mart).optional() })
    .optional()
    .describe('Usually the files marts/*.sql.'),
  dags: z.array(dag).optional().describe('None: one DAG of the pipeline’s name, from bronze to gold.'),
});

export type RawSpec = z.infer<typeof specSchema>;
export type RawTable = z.infer<typeof table>;
export type RawColumn = z.infer<typeof column>;
export type RawForeignKey = z.infer<typeof foreignKey>;
export type RawCheck = z.infer<typeof check>;
export type RawDim = z.infer<typeof dim>;
export type RawTransform = z.infer<typeof transform>;
export type RawMart = z.infer<typeof mart>;
export type RawMetrics = z.infer<typeof metrics>;
export type RawWarehouse = z.infer<typeof warehouse>;
export type RawColumnNote = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly policy_tags?: readonly string[] | undefined;
};
export type RawTask = z.infer<typeof task>;
export type RawDag = z.infer<typeof dag>;
