/** `configuration` of a job -> one checked value of its kind; settings that the sandbox does not imitate are refused by name. */
import { z } from 'zod';
import { BigQueryError } from './bigquery-error.ts';
import type { TableName } from './catalog.ts';
import { splitDecorator } from './partitions.ts';
import { type Destination, WRITE_DISPOSITIONS, type WriteDisposition } from './place-rows.ts';
import { MOST_URIS } from './read-files.ts';
import {
  clustering,
  flag,
  integer,
  labels,
  parseBody,
  partitioningOf,
  tableReference,
  tableSchema,
  timePartitioning,
} from './request-body.ts';
import { checkTableId } from './resource-names.ts';
import { type Field, parseFields } from './table-schema.ts';

const writeSettings = {
  createDisposition: z.enum(['CREATE_IF_NEEDED', 'CREATE_NEVER']).nullish(),
  writeDisposition: z.enum(WRITE_DISPOSITIONS).nullish(),
  schemaUpdateOptions: z.array(z.enum(['ALLOW_FIELD_ADDITION', 'ALLOW_FIELD_RELAXATION'])).nullish(),
  timePartitioning: timePartitioning.nullish(),
  clustering: clustering.nullish(),
};

const loadSettings = z.strictObject({
  sourceUris: z.array(z.string()).min(1, 'Load configuration must specify at least one source URI').max(MOST_URIS),
  destinationTable: tableReference,
  sourceFormat: z.string().nullish(),
  schema: tableSchema.nullish(),
  autodetect: flag.nullish(),
  ignoreUnknownValues: flag.nullish(),
  maxBadRecords: integer.nullish(),
  decimalTargetTypes: z.array(z.enum(['NUMERIC', 'BIGNUMERIC', 'STRING'])).nullish(),
  parquetOptions: z.strictObject({ enableListInference: flag.nullish(), enumAsString: flag.nullish() }).nullish(),
  destinationTableProperties: z
    .strictObject({ description: z.string().nullish(), friendlyName: z.string().nullish(), labels: labels.nullish() })
    .nullish(),
  ...writeSettings,
});

const parameterType = z.strictObject({
  type: z.string(),
  get arrayType() {
    return parameterType.nullish();
  },
});

const parameterValue = z.strictObject({
  value: z.union([z.string(), z.number(), z.boolean()]).nullish(),
  get arrayValues() {
    return z.array(parameterValue).nullish();
  },
});

export const queryParameters = z.array(
  z.strictObject({ name: z.string().nullish(), parameterType, parameterValue: parameterValue.nullish() }),
);
export type QueryParameter = z.infer<typeof queryParameters>[number];

const querySettings = z.strictObject({
  query: z.string(),
  useLegacySql: flag.nullish(),
  destinationTable: tableReference.nullish(),
  defaultDataset: z.strictObject({ projectId: z.string().nullish(), datasetId: z.string() }).nullish(),
  parameterMode: z.enum(['NAMED', 'POSITIONAL', 'named', 'positional']).nullish(),
  queryParameters: queryParameters.nullish(),
  maximumBytesBilled: integer.nullish(),
  priority: z.enum(['INTERACTIVE', 'BATCH']).nullish(),
  useQueryCache: flag.nullish(),
  allowLargeResults: flag.nullish(),
  flattenResults: flag.nullish(),
  // Google's client for Node leaves it in the request (8.3.1); the service passes over what it does not know.
  types: z.unknown().optional(),
  ...writeSettings,
});

const copySettings = z.strictObject({
  sourceTable: tableReference.nullish(),
  sourceTables: z.array(tableReference).nullish(),
  destinationTable: tableReference,
  createDisposition: writeSettings.createDisposition,
  writeDisposition: writeSettings.writeDisposition,
  operationType: z.string().nullish(),
});

const extractSettings = z.strictObject({
  sourceTable: tableReference,
  destinationUris: z.array(z.string()).min(1).nullish(),
  destinationUri: z.string().nullish(),
  destinationFormat: z.string().nullish(),
  compression: z.enum(['NONE', 'SNAPPY', 'GZIP', 'ZSTD']).nullish(),
});

const jobSettings = z.strictObject({
  load: loadSettings.optional(),
  query: querySettings.optional(),
  copy: copySettings.optional(),
  extract: extractSettings.optional(),
  labels: labels.nullish(),
  dryRun: flag.nullish(),
  jobTimeoutMs: integer.nullish(),
  reservation: z.string().nullish(),
  jobType: z.string().nullish(),
});

export interface TablePart {
  readonly table: TableName;
  readonly decorator: string | null;
}

export interface LoadSettings {
  readonly kind: 'LOAD';
  readonly uris: readonly string[];
  readonly to: Destination;
  /** Null: as the files say. */
  readonly fields: readonly Field[] | null;
  readonly ignoreUnknown: boolean;
  readonly enableListInference: boolean;
  readonly enumAsString: boolean;
}

export interface QuerySettings {
  readonly kind: 'QUERY';
  readonly text: string;
  readonly to: Destination | null;
  readonly defaultDataset: { readonly project: string; readonly dataset: string } | null;
  readonly parameters: readonly QueryParameter[];
  readonly maximumBytesBilled: number | null;
}

export interface CopySettings {
  readonly kind: 'COPY';
  readonly from: readonly TablePart[];
  readonly to: Destination;
}

export interface ExtractSettings {
  readonly kind: 'EXTRACT';
  readonly from: TablePart;
  readonly uri: string;
  readonly compression: 'NONE' | 'SNAPPY' | 'GZIP' | 'ZSTD';
}

export type JobSettings = LoadSettings | QuerySettings | CopySettings | ExtractSettings;

/** @throws BigQueryError `invalid`, `required`, `notImplemented` */
export function parseConfiguration(
  written: unknown,
  project: string,
): { readonly settings: JobSettings; readonly dryRun: boolean } {
  const body = parseBody(jobSettings, written, 'configuration');
  const kinds = [body.load, body.query, body.copy, body.extract].filter((kind) => kind !== undefined);
  if (kinds.length !== 1)
    throw new BigQueryError(
      'required',
      'Job configuration must contain exactly one job-specific configuration object (e.g., query, load, extract, copy)',
    );
  return { settings: settingsOf(body, project), dryRun: body.dryRun ?? false };
}

function settingsOf(body: z.infer<typeof jobSettings>, project: string): JobSettings {
  if (body.load) return loadOf(body.load);
  if (body.copy) return copyOf(body.copy);
  if (body.extract) return extractOf(body.extract);
  if (body.query) return queryOf(body.query, project);
  throw new Error('a job without a kind');
}

function loadOf(load: z.infer<typeof loadSettings>): LoadSettings {
  if ((load.sourceFormat ?? 'CSV') !== 'PARQUET')
    throw new BigQueryError(
      'notImplemented',
      `The sandbox loads PARQUET, not ${load.sourceFormat ?? 'CSV, the default'}.`,
      'sourceFormat',
    );
  return {
    kind: 'LOAD',
    uris: load.sourceUris,
    to: {
      ...destinationOf(load.destinationTable, load, 'WRITE_APPEND'),
      description: load.destinationTableProperties?.description ?? undefined,
      labels: load.destinationTableProperties?.labels ?? undefined,
    },
    fields: load.schema?.fields.length ? parseFields(load.schema.fields) : null,
    ignoreUnknown: load.ignoreUnknownValues ?? false,
    enableListInference: load.parquetOptions?.enableListInference ?? false,
    enumAsString: load.parquetOptions?.enumAsString ?? false,
  };
}

function queryOf(query: z.infer<typeof querySettings>, project: string): QuerySettings {
  // Legacy SQL is the API's default, so that a caller must say that it wants GoogleSQL.
  if (query.useLegacySql !== false)
    throw new BigQueryError(
      'notImplemented',
      'The sandbox does not imitate legacy SQL; set useLegacySql to false.',
      'useLegacySql',
    );
  const dataset = query.defaultDataset;
  return {
    kind: 'QUERY',
    text: query.query,
    to: query.destinationTable ? destinationOf(query.destinationTable, query, 'WRITE_EMPTY') : null,
    defaultDataset: dataset ? { project: dataset.projectId ?? project, dataset: dataset.datasetId } : null,
    parameters: query.queryParameters ?? [],
    maximumBytesBilled: query.maximumBytesBilled ?? null,
  };
}

function copyOf(copy: z.infer<typeof copySettings>): CopySettings {
  if ((copy.operationType ?? 'COPY') !== 'COPY')
    throw new BigQueryError('notImplemented', `The sandbox does not imitate operationType ${copy.operationType}.`);
  const from = copy.sourceTables ?? (copy.sourceTable ? [copy.sourceTable] : []);
  if (from.length === 0) throw new BigQueryError('required', 'Required parameter is missing: sourceTable');
  return { kind: 'COPY', from: from.map(partOf), to: destinationOf(copy.destinationTable, copy, 'WRITE_EMPTY') };
}

function extractOf(extract: z.infer<typeof extractSettings>): ExtractSettings {
  if (extract.destinationFormat !== 'PARQUET')
    throw new BigQueryError(
      'notImplemented',
      `The sandbox extracts PARQUET, not ${extract.destinationFormat ?? 'CSV, the default'}.`,
      'destinationFormat',
    );
  const uris = extract.destinationUris ?? (extract.destinationUri ? [extract.destinationUri] : []);
  const [uri, ...more] = uris;
  if (uri === undefined) throw new BigQueryError('required', 'Required parameter is missing: destinationUris');
  if (more.length > 0) throw new BigQueryError('notImplemented', 'The sandbox extracts to one URI; use a wildcard.');
  return { kind: 'EXTRACT', from: partOf(extract.sourceTable), uri, compression: extract.compression ?? 'NONE' };
}

/** @throws BigQueryError `invalid` for an id that no table can have */
export function partOf(reference: z.infer<typeof tableReference>): TablePart {
  const { table, decorator } = splitDecorator(reference.tableId);
  checkTableId(table);
  return { table: { project: reference.projectId, dataset: reference.datasetId, table }, decorator };
}

interface WriteSettings {
  readonly createDisposition?: 'CREATE_IF_NEEDED' | 'CREATE_NEVER' | null | undefined;
  readonly writeDisposition?: WriteDisposition | null | undefined;
  readonly schemaUpdateOptions?: readonly ('ALLOW_FIELD_ADDITION' | 'ALLOW_FIELD_RELAXATION')[] | null | undefined;
  readonly timePartitioning?: z.infer<typeof timePartitioning> | null | undefined;
  readonly clustering?: z.infer<typeof clustering> | null | undefined;
}

function destinationOf(
  reference: z.infer<typeof tableReference>,
  settings: WriteSettings,
  otherwise: WriteDisposition,
): Destination {
  const { table, decorator } = partOf(reference);
  const write = settings.writeDisposition ?? otherwise;
  const options = settings.schemaUpdateOptions ?? [];
  const mayUpdate = write === 'WRITE_APPEND' || (write === 'WRITE_TRUNCATE' && decorator !== null);
  if (options.length > 0 && !mayUpdate)
    throw new BigQueryError(
      'invalid',
      'Schema update options should only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE disposition on a table partition.',
      'schemaUpdateOptions',
    );
  return {
    table,
    decorator,
    write,
    create: settings.createDisposition ?? 'CREATE_IF_NEEDED',
    updates: {
      addition: options.includes('ALLOW_FIELD_ADDITION'),
      relaxation: options.includes('ALLOW_FIELD_RELAXATION'),
    },
    partitioning: settings.timePartitioning ? partitioningOf(settings.timePartitioning) : undefined,
    requirePartitionFilter: settings.timePartitioning?.requirePartitionFilter ?? undefined,
    clustering: settings.clustering?.fields,
  };
}
