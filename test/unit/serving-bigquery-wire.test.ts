/** Every request to BigQuery, and every answer of its stand-in, held against Google's description of the API. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { WarehouseTableDef } from '../../core/ports.ts';
import { buildOfSales, FCT_SALES, rows, SALES } from '../contract/warehouse-contract.ts';
import { type SandboxPlace, type SeenCall, withSandboxWarehouse } from '../contract/warehouse-sandbox.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

/**
 * `string`, `int64` (text), `integer`, `boolean`, `number`, `any`, `A|B` (words), `#Schema`, `[#Schema]`, an object by field, or
 * `{"*": type}`; `!` before what only answers have. Schemas that nothing here uses are left out, and may hold anything.
 */
type ApiType = string | readonly ApiType[] | { readonly [field: string]: ApiType };

interface ApiMethod {
  readonly path: string;
  readonly http: string;
  readonly query: { readonly [parameter: string]: string };
  readonly request?: string;
  readonly response?: string;
}

const API = JSON.parse(readFileSync(`${packageRoot()}/test/fixtures/google-api/bigquery-v2.json`, 'utf8')) as {
  readonly methods: { readonly [id: string]: ApiMethod };
  readonly schemas: { readonly [name: string]: { readonly [field: string]: ApiType } };
};

/** Words that the descriptions name, where the field's type is text. */
const WORDS: { readonly [field: string]: readonly string[] } = {
  'load.sourceFormat': ['CSV', 'DATASTORE_BACKUP', 'NEWLINE_DELIMITED_JSON', 'AVRO', 'PARQUET', 'ORC'],
  'load.writeDisposition': ['WRITE_TRUNCATE', 'WRITE_TRUNCATE_DATA', 'WRITE_APPEND', 'WRITE_EMPTY'],
  'query.writeDisposition': ['WRITE_TRUNCATE', 'WRITE_TRUNCATE_DATA', 'WRITE_APPEND', 'WRITE_EMPTY'],
  'copy.writeDisposition': ['WRITE_TRUNCATE', 'WRITE_APPEND', 'WRITE_EMPTY'],
  'load.createDisposition': ['CREATE_IF_NEEDED', 'CREATE_NEVER'],
  'query.createDisposition': ['CREATE_IF_NEEDED', 'CREATE_NEVER'],
  'copy.createDisposition': ['CREATE_IF_NEEDED', 'CREATE_NEVER'],
  'query.parameterMode': ['POSITIONAL', 'NAMED'],
  'extract.destinationFormat': ['CSV', 'NEWLINE_DELIMITED_JSON', 'PARQUET', 'AVRO'],
  'extract.compression': ['DEFLATE', 'GZIP', 'NONE', 'SNAPPY', 'ZSTD'],
  'fields.mode': ['NULLABLE', 'REQUIRED', 'REPEATED'],
  'timePartitioning.type': ['DAY', 'HOUR', 'MONTH', 'YEAR'],
};

const STANDARD_PARAMETERS = ['prettyPrint', 'alt', 'fields', 'key', 'quotaUser', 'userProject'];

/** What does not fit, each with its place; none where all does. */
function misfits(type: ApiType, value: unknown, place: string, isRequest: boolean): readonly string[] {
  if (typeof type !== 'string') {
    if (Array.isArray(type)) return listMisfits(type[0] as ApiType, value, place, isRequest);
    return objectMisfits(type as { readonly [field: string]: ApiType }, value, place, isRequest);
  }
  if (type.startsWith('!'))
    return isRequest ? [`${place} is for answers alone`] : misfits(type.slice(1), value, place, isRequest);
  if (type.startsWith('[')) return listMisfits(type.slice(1, -1), value, place, isRequest);
  if (type.startsWith('#')) {
    const schema = API.schemas[type.slice(1)];
    return schema ? objectMisfits(schema, value, place, isRequest) : [];
  }
  // A patch takes a field away by null.
  if (value === null && isRequest) return [];
  const words =
    WORDS[place.replaceAll('[]', '').split('.').slice(-2).join('.')] ?? (type.includes('|') ? type.split('|') : null);
  const fits =
    type === 'any' ||
    (type === 'int64' && typeof value === 'string' && /^-?\d+$/.test(value)) ||
    (type === 'integer' && Number.isInteger(value)) ||
    (words === null ? typeof value === type : words.includes(String(value)));
  return fits ? [] : [`${place} is ${JSON.stringify(value)}, not ${words?.join(' or ') ?? type}`];
}

function listMisfits(type: ApiType, value: unknown, place: string, isRequest: boolean): readonly string[] {
  if (!Array.isArray(value)) return [`${place} is no list`];
  return value.flatMap((each: unknown) => misfits(type, each, `${place}[]`, isRequest));
}

function objectMisfits(
  fields: { readonly [field: string]: ApiType },
  value: unknown,
  place: string,
  isRequest: boolean,
): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`];
  return Object.entries(value).flatMap(([name, each]) => {
    const type = fields[name] ?? fields['*'];
    return type === undefined ? [`${place}.${name} is unknown`] : misfits(type, each, `${place}.${name}`, isRequest);
  });
}

function methodOf({ method, path }: SeenCall): [string, ApiMethod] {
  const found = Object.entries(API.methods).find(([, { http, path: pattern }]) => {
    const steps = pattern.replace(/^projects\/\{[^}]+\}/, '').replace(/\{[^}]+\}/g, '[^/]+');
    return http === method && new RegExp(`^${steps}$`).test(path);
  });
  assert.ok(found, `BigQuery has no ${method} ${path}`);
  return found;
}

function callMisfits(call: SeenCall): readonly string[] {
  const [id, { query, request, response }] = methodOf(call);
  const unknown = [...call.query]
    .filter(([name]) => !STANDARD_PARAMETERS.includes(name))
    .filter(([name, value]) => !(name in query) || (/int/.test(query[name] ?? '') && !/^\d+$/.test(value)))
    .map(([name, value]) => `${id}: parameter ${name}=${value}`);
  const sent =
    call.body === null
      ? []
      : request === undefined
        ? [`${id} takes no body`]
        : misfits(`#${request}`, call.body, `${id} ${request}`, true);
  const isError = (call.answer as { readonly error?: unknown } | undefined)?.error !== undefined;
  const answered =
    call.answer === undefined || isError || response === undefined
      ? []
      : misfits(`#${response}`, call.answer, `${id} answer`, false);
  return [...unknown, ...sent, ...answered];
}

const RICH: WarehouseTableDef = {
  ...SALES,
  description: 'What was sold.',
  columns: SALES.columns.map((column) => ({
    ...column,
    description: `The ${column.name}.`,
    ...(column.name === 'amount' ? { policyTags: ['projects/p/locations/eu/taxonomies/1/policyTags/2'] } : {}),
  })),
  clusterBy: ['product'],
  options: { labels: { team: 'shop' }, requirePartitionFilter: true, partitionExpirationDays: 9_000 },
};
const MART: WarehouseTableDef = { ...FCT_SALES, clusterBy: ['total'] };
const DAYS = ['2025-01-01', '2025-01-02'];
const BUILD = { ...buildOfSales(DAYS), def: MART };

/** Loads by day, of a day without a partition and of a whole table, a removal, tables that change, a mart from its dry run to its export. */
async function useAll(place: SandboxPlace, swap: 'transaction' | 'copy'): Promise<void> {
  const warehouse = await place.openWith({
    swap,
    reservation: 'projects/test-project/locations/EU/reservations/nightly',
    maximumBytesBilled: 10 ** 12,
  });
  const values = [...DAYS, '1900-01-01'];
  const staged = await Promise.all(values.map((day, index) => place.stage(RICH, day, rows(day, [index, '1.00']))));
  await warehouse.loadPartitions(
    RICH,
    staged.map(({ partition }) => partition),
    [],
  );
  const whole: WarehouseTableDef = { ...SALES, table: 'all_sales', partitionKey: null, clusterBy: ['product'] };
  await warehouse.loadPartitions(
    whole,
    [(await place.stage(whole, '', rows(DAYS[0] ?? '', [1, '1.00']))).partition],
    [],
  );
  await warehouse.ensureTable({
    ...RICH,
    description: 'All that was sold.',
    columns: [...RICH.columns, { name: 'shop', type: 'string' }],
    clusterBy: [],
    options: { labels: { team: 'all' }, requirePartitionFilter: false, partitionExpirationDays: null },
  });
  await warehouse.buildMart(BUILD);
  await warehouse.exportBuilt(MART, `${place.folder}/exported`);
  await warehouse.swapMarts([BUILD], {});
  await warehouse.loadPartitions(RICH, [], [DAYS[1] ?? '']);
}

describe('what goes to BigQuery and comes back', () => {
  for (const swap of ['transaction', 'copy'] as const) {
    test(`has the fields, types and words of the REST reference, marts swapped by ${swap}`, () =>
      withSandboxWarehouse({}, async (place) => {
        await useAll(place, swap);
        const called = new Set(place.calls.map((call) => methodOf(call)[0]));
        const never = Object.keys(API.methods).filter((id) => !called.has(id));
        assert.deepEqual(never, ['jobs.cancel']);
        const kinds = new Set(place.calls.flatMap(({ body }) => Object.keys(body?.configuration ?? {})));
        for (const kind of ['load', 'query', 'extract', ...(swap === 'copy' ? ['copy'] : [])])
          assert.ok(kinds.has(kind), kind);
        assert.deepEqual([...new Set(place.calls.flatMap(callMisfits))], []);
      }));
  }

  test('names the place of a job wherever one may be elsewhere', () =>
    withSandboxWarehouse({}, async (place) => {
      await useAll(place, 'transaction');
      for (const call of place.calls) {
        const [id, { query }] = methodOf(call);
        if (id === 'jobs.insert') assert.equal(call.body?.jobReference?.location, 'EU');
        else if ('location' in query) assert.equal(call.query.get('location'), 'EU', id);
      }
    }));

  test('is seen not to fit where it does not', () => {
    const wrong = {
      jobReference: { projectId: 'p', jobId: 1 },
      configuration: {
        load: {
          schema: { fields: [{ name: 'a', type: 'NUMERIC', precision: 18 }] },
          writeDisposition: 'TRUNCATE',
          uris: [],
        },
        labels: { env: 1 },
        jobTimeoutMs: 5,
      },
      status: { state: 'DONE' },
    };
    assert.deepEqual(misfits('#Job', wrong, 'Job', true), [
      'Job.jobReference.jobId is 1, not string',
      'Job.configuration.load.schema.fields[].precision is 18, not int64',
      'Job.configuration.load.writeDisposition is "TRUNCATE", not WRITE_TRUNCATE or WRITE_TRUNCATE_DATA or WRITE_APPEND or WRITE_EMPTY',
      'Job.configuration.load.uris is unknown',
      'Job.configuration.labels.env is 1, not string',
      'Job.configuration.jobTimeoutMs is 5, not int64',
      'Job.status is for answers alone',
    ]);
  });
});
