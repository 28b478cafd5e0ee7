/** A query on a server that speaks BigQuery's API -> its rows in canonical text, types and all. */
import { BigQuery } from '@google-cloud/bigquery';
import { type CanonicalRows, instantText, listText, plainDecimal } from '../fixtures-support/canonical-rows.ts';
import { request } from './bigquery-place.ts';

interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode?: string;
  readonly fields?: readonly Field[];
}

type Cell = { readonly v: CellValue };
type CellValue = string | null | readonly Cell[] | { readonly f: readonly Cell[] };

interface ResultsPage {
  readonly schema?: { readonly fields?: readonly Field[] };
  readonly rows?: readonly { readonly f: readonly Cell[] }[];
  readonly pageToken?: string;
}

export interface NamedParameter {
  readonly name: string;
  readonly type: 'DATE' | 'INT64';
  readonly value: string;
}

/**
 * As a job: `client.query()` resolves with no rows for a statement that failed on bqemulator.
 *
 * @param pageRows how many rows come with one answer, for those who look at paging
 */
export async function evaluate(
  client: BigQuery,
  query: string,
  parameters: readonly NamedParameter[] = [],
  pageRows = 1_000,
): Promise<CanonicalRows & { readonly pages: number }> {
  const [job] = await client.createQueryJob({
    query,
    ...(parameters.length === 0
      ? {}
      : {
          params: Object.fromEntries(parameters.map(({ name, value, type }) => [name, parameterValue(type, value)])),
          types: Object.fromEntries(parameters.map(({ name, type }) => [name, type])),
        }),
  });
  const rows: (readonly (string | null)[])[] = [];
  let fields: readonly Field[] = [];
  let pages = 0;
  let pageToken: string | undefined;
  do {
    const page: ResultsPage = await request(client, 'GET', `/queries/${job.id}`, {
      maxResults: pageRows,
      'formatOptions.useInt64Timestamp': 'true',
      ...(client.location === undefined ? {} : { location: client.location }),
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    pages += 1;
    if (page.schema?.fields) fields = page.schema.fields;
    for (const { f } of page.rows ?? []) rows.push(f.map(({ v }, index) => textOf(v, fields[index])));
    pageToken = page.pageToken;
  } while (pageToken !== undefined);
  return { types: fields.map(typeOf), rows, pages };
}

function parameterValue(type: NamedParameter['type'], value: string): unknown {
  return type === 'DATE' ? BigQuery.date(value) : Number(value);
}

const GOOGLE_SQL: { readonly [rest: string]: string } = {
  INTEGER: 'INT64',
  FLOAT: 'FLOAT64',
  BOOLEAN: 'BOOL',
  BIGNUMERIC: 'NUMERIC',
};

function typeOf(field: Field): string {
  if (field.mode === 'REPEATED') return `ARRAY<${typeOf({ ...field, mode: 'NULLABLE' })}>`;
  if (field.type === 'RECORD' || field.type === 'STRUCT') {
    return `STRUCT<${(field.fields ?? []).map((each) => `${each.name} ${typeOf(each)}`).join(', ')}>`;
  }
  return GOOGLE_SQL[field.type] ?? field.type;
}

function textOf(value: CellValue, field: Field | undefined): string | null {
  if (value === null) return null;
  if (isList(value)) {
    const element = field === undefined ? undefined : { ...field, mode: 'NULLABLE' };
    return listText(value.map(({ v }) => textOf(v, element)));
  }
  if (typeof value === 'object') return listText(value.f.map(({ v }, index) => textOf(v, field?.fields?.[index])));
  switch (field?.type) {
    case 'TIMESTAMP':
      return instantText(microseconds(value));
    case 'NUMERIC':
    case 'BIGNUMERIC':
      return plainDecimal(withoutExponent(value));
    case 'FLOAT':
    case 'FLOAT64':
      return String(Number(value.replace(/^([+-]?)inf$/i, '$1Infinity')));
    default:
      return value;
  }
}

function isList(value: CellValue): value is readonly Cell[] {
  return Array.isArray(value);
}

/** bqemulator writes 0 as `0E-9`. */
function withoutExponent(text: string): string {
  const [, digits = '', exponent = ''] = /^(-?[\d.]+)E(-?\d+)$/i.exec(text) ?? [];
  return digits === '' ? text : Number(digits) === 0 ? '0' : Number(text).toFixed(Math.min(38, 9 - Number(exponent)));
}

/** As asked for; a server that does not know the option writes seconds, with a point or an exponent. */
function microseconds(text: string): bigint {
  return /^-?\d+$/.test(text) ? BigInt(text) : BigInt(Math.round(Number(text) * 1_000_000));
}
