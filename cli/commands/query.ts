/** `assay query`: a GoogleSQL SELECT over published tables, or figures of a mart by name, on screen or into a file. */

import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { pipeline as pipe } from 'node:stream/promises';
import type { QueryFormat, QueryRequest } from '../../api/ports.ts';
import { counted } from '../../core/counted.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { PipelineError } from '../../core/errors.ts';
import { GRAINS, type Grain, type MetricQuery } from '../../core/metric-query.ts';
import type { JsonValue, PublishedLayer } from '../../core/types.ts';
import { parseWhere } from '../parse-where.ts';
import { type GlobalFlags, openProject } from '../project.ts';
import { QueryPool } from '../query-pool.ts';
import { DEFAULT_ROWS, type QueryCaps, runQuery } from '../run-query.ts';
import { printJson, printLines, table } from '../terminal.ts';

export interface QueryOptions {
  readonly pipeline?: string;
  readonly mart?: string;
  readonly measure?: readonly string[];
  readonly by?: readonly string[];
  readonly grain?: string;
  readonly from?: string;
  readonly to?: string;
  readonly where?: readonly string[];
  readonly orderBy?: readonly string[];
  readonly limit?: string;
  readonly publication?: string;
  readonly format?: 'table' | QueryFormat;
  readonly output?: string;
  readonly json?: boolean;
}

/** A JSON answer, as the query's process writes it. */
interface JsonAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly JsonValue[])[];
  readonly truncated: boolean;
}

export async function query(flags: GlobalFlags, sql: string | undefined, options: QueryOptions): Promise<void> {
  const ask = askOf(sql, options);
  const format = formatOf(options);
  if (format === 'parquet' && options.output === undefined && process.stdout.isTTY === true)
    throw new PipelineError('usage', 'Parquet is not for a screen. Name a file with --output, or pipe it on.');
  const project = await openProject(flags);
  const caps: QueryCaps = {
    maxSeconds: project.settings.values['query.max_seconds'],
    maxRows: null,
    maxBytes: null,
    // The programs behind a pipe end their lines so.
    ...(options.output === undefined ? { lineEnd: '\n' } : {}),
  };
  const limit = options.limit === undefined ? null : wholeNumber('--limit', options.limit);
  const request: QueryRequest = {
    pipeline: options.pipeline ?? null,
    ask,
    publication: pinned(options.publication),
    format: format === 'table' ? 'json' : format,
    // A screen holds only so much; a file holds all.
    maxRows: limit ?? (format === 'csv' && options.output === undefined ? DEFAULT_ROWS : null),
    knownTags: [],
  };
  await using pool = new QueryPool({ slots: 1, keepWarm: 0 });
  const { content, publications } = await runQuery(project, pool, request, caps, new AbortController().signal);
  if (content === null) throw new Error('an answer came without content, though no tag was sent');
  const body = Readable.fromWeb(content.body as Parameters<typeof Readable.fromWeb>[0]);
  if (options.output !== undefined) {
    await writeWhole(body, options.output);
    const from = publications.map(({ layer, sequence }) => `${layer} ${sequence}`).join(', ');
    process.stderr.write(`${options.output}: ${counted(content.rows, 'row')}${from === '' ? '' : ` from ${from}`}\n`);
  } else if (format === 'csv' || format === 'parquet') {
    await pipe(body, process.stdout, { end: false });
  } else print(JSON.parse(await readText(body)) as JsonAnswer, format);
  if (content.truncated)
    process.stderr.write(
      `Only the first ${counted(content.rows, 'row')} ${content.rows === 1 ? 'is' : 'are'} shown. Ask for more with --limit.\n`,
    );
}

function print(answer: JsonAnswer, format: 'table' | 'json'): void {
  const names = answer.columns.map((column) => column.name);
  if (format === 'json') {
    const rows = answer.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null])));
    printJson({ ...answer, rows });
  } else
    printLines(
      table(
        names,
        answer.rows.map((row) => row.map((value) => (value === null ? '' : String(value)))),
      ),
    );
}

/** A reader of the file sees all of it or the one before. */
async function writeWhole(body: Readable, path: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    await pipe(body, createWriteStream(partial));
    await rename(partial, path);
  } catch (thrown) {
    await rm(partial, { force: true }).catch(() => {});
    throw unwritable(path, thrown);
  }
}

const UNWRITABLE: { readonly [errno: string]: string } = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENAMETOOLONG: 'the name is too long',
};

function unwritable(path: string, thrown: unknown): unknown {
  const why = UNWRITABLE[(thrown as NodeJS.ErrnoException).code ?? ''];
  return why === undefined
    ? thrown
    : new PipelineError('usage', `${path} cannot be written: ${why}. Name another file with --output.`, {
        cause: thrown,
      });
}

function formatOf({ format, json, output }: QueryOptions): 'table' | QueryFormat {
  if (format !== undefined) return output !== undefined && format === 'table' ? 'csv' : format;
  if (json) return 'json';
  if (output === undefined) return 'table';
  const ending = /\.(json|csv|parquet)$/i.exec(output)?.[1]?.toLowerCase();
  if (ending !== undefined) return ending as QueryFormat;
  throw new PipelineError(
    'usage',
    `The ending of ${output} says no format. End it in .csv, .json or .parquet, or say --format.`,
  );
}

function askOf(sql: string | undefined, options: QueryOptions): QueryRequest['ask'] {
  const metricFlags = ['measure', 'by', 'grain', 'from', 'to', 'where', 'orderBy'] as const;
  const used = metricFlags.filter((flag) => options[flag] !== undefined);
  if (sql !== undefined) {
    if (options.mart === undefined && used.length === 0) return { kind: 'sql', sql };
    throw new PipelineError('usage', 'Ask either by SQL or with --mart and --measure, not both at once.');
  }
  if (options.mart === undefined)
    throw new PipelineError(
      'usage',
      'Say what is asked: SQL, or --mart and --measure. assay metrics lists what marts can be asked for.',
    );
  return { kind: 'metrics', query: metricQuery(options.mart, options) };
}

function metricQuery(mart: string, options: QueryOptions): MetricQuery {
  const grain = options.grain === undefined ? undefined : grainOf(options.grain);
  const { from, to } = options;
  const hasTime = grain !== undefined || from !== undefined || to !== undefined;
  return {
    mart,
    measures: split(options.measure),
    dimensions: split(options.by),
    time: hasTime
      ? {
          ...(grain === undefined ? {} : { grain }),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        }
      : null,
    filters: (options.where ?? []).map(parseWhere),
    orderBy: split(options.orderBy),
    limit: null,
  };
}

function grainOf(word: string): Grain {
  const found = GRAINS.find((grain) => grain === word.toLowerCase());
  if (found) return found;
  const meant = didYouMean(word, GRAINS);
  throw new PipelineError(
    'usage',
    `There is no grain ${word}.${meant ? ` Did you mean ${meant}?` : ''} Grains: ${GRAINS.join(', ')}.`,
  );
}

/** `12` is of gold; `gold=12,enriched=40` names each. */
function pinned(text: string | undefined): QueryRequest['publication'] {
  if (text === undefined) return {};
  if (/^\d+$/.test(text)) return { gold: wholeNumber('--publication', text) };
  const entries = text.split(',').map((part) => {
    const [, layer, sequence] = /^\s*(gold|enriched|dims|silver)=(\d+)\s*$/.exec(part) ?? [];
    if (layer === undefined || sequence === undefined)
      throw new PipelineError('usage', `--publication takes 12, or gold=12,enriched=40, not "${text}".`);
    return [layer as PublishedLayer, wholeNumber('--publication', sequence)] as const;
  });
  return Object.fromEntries(entries);
}

/** `--measure a,b` is `--measure a --measure b`. */
const split = (values: readonly string[] | undefined): readonly string[] =>
  (values ?? []).flatMap((value) => value.split(',').map((name) => name.trim())).filter((name) => name !== '');

function wholeNumber(flag: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new PipelineError('usage', `${flag} takes a whole number from 1, not "${text}".`);
}
