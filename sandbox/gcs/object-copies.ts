/** Requests that make an object out of others, inside the service -> answers: copy, rewrite, compose. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, rmSync } from 'node:fs';
import { type Answer, json } from './answer.ts';
import { invalid, noSuchBucket, noSuchObject, required } from './api-error.ts';
import { type ApiRequest, readJson } from './api-request.ts';
import type { BucketStore, NewBody } from './bucket-store.ts';
import { findObject } from './object-reads.ts';
import { type ObjectRecord, type ObjectSettings, objectResource } from './object-record.ts';
import { changeSettings, checkObjectName, parseObjectRequest, recordOf } from './object-settings.ts';
import { checkPreconditions, numberOf, type Preconditions, parsePreconditions } from './preconditions.ts';
import { receiveBody } from './receive-body.ts';
import type { Route } from './route.ts';

export type CopyRoute = Extract<Route, { operation: 'objects.copy' | 'objects.rewrite' }>;

/** A copy as it was asked for: what a rewrite's first call fixes for the later ones. */
interface CopyPlan {
  readonly source: ObjectRecord;
  readonly bucket: string;
  readonly name: string;
  readonly settings: ObjectSettings;
  readonly conditions: Preconditions;
}

/** What a rewrite's token carries: nothing is kept here between the calls. */
interface RewriteToken {
  readonly plan: CopyPlan;
  readonly rewrittenBytes: number;
}

const MEBIBYTE = 1024 * 1024;
const MAX_SOURCES = 32;

export async function copyObject(store: BucketStore, route: CopyRoute, request: ApiRequest): Promise<Answer> {
  return json(objectResource(copy(store, planCopy(store, route, request, await readJson(request))), request.origin));
}

/**
 * The whole object in one call, or so many bytes a call until the token's last call makes the object. Later calls may leave
 * out what the first one said, conditions too, but not say something else.
 *
 * @param limitBytes what one call rewrites where the request does not say; null: everything
 * @source Cloud Storage JSON API, "Objects: rewrite" (read 2026-11-21)
 */
export async function rewriteObject(
  store: BucketStore,
  route: CopyRoute,
  request: ApiRequest,
  limitBytes: number | null,
): Promise<Answer> {
  const body = await readJson(request);
  const text = request.query.get('rewriteToken');
  const before = text === null ? null : resumeRewrite(store, route, request, text);
  const plan = before?.plan ?? planCopy(store, route, request, body);
  const perCall = numberOf(request.query, 'maxBytesRewrittenPerCall') ?? limitBytes ?? Number.POSITIVE_INFINITY;
  if (perCall !== Number.POSITIVE_INFINITY && (perCall === 0 || perCall % MEBIBYTE !== 0))
    throw invalid('maxBytesRewrittenPerCall must be a multiple of 1 MiB.', 'maxBytesRewrittenPerCall');
  const rewrittenBytes = Math.min(plan.source.sizeBytes, (before?.rewrittenBytes ?? 0) + perCall);
  const done = rewrittenBytes === plan.source.sizeBytes;
  return json({
    kind: 'storage#rewriteResponse',
    totalBytesRewritten: String(rewrittenBytes),
    objectSize: String(plan.source.sizeBytes),
    done,
    ...(done
      ? { resource: objectResource(copy(store, plan), request.origin) }
      : { rewriteToken: tokenOf({ plan, rewrittenBytes }) }),
  });
}

function planCopy(store: BucketStore, route: CopyRoute, request: ApiRequest, body: unknown): CopyPlan {
  const { bucket, object: name } = route.destination;
  if (!store.bucket(bucket)) throw noSuchBucket();
  checkObjectName(name);
  const source = findObject(store, route.bucket, route.object, request.query, 'sourceGeneration');
  checkPreconditions(source, parsePreconditions(request.query, 'ifSource'));
  const conditions = parsePreconditions(request.query);
  checkPreconditions(store.object(bucket, name), conditions);
  const isAsSource = Object.keys(recordOf(body, 'The request body')).length === 0;
  const settings = isAsSource ? source.settings : changeSettings({}, parseObjectRequest(body).settings);
  return { source, bucket, name, settings, conditions };
}

/** A body is immutable, so a copy is a second name for it. */
function copy(store: BucketStore, plan: CopyPlan): ObjectRecord {
  const { source } = plan;
  const body: NewBody = { ...source, path: store.bodyPath(source), isShared: true };
  return store.write(plan.bucket, plan.name, body, plan.settings, plan.conditions);
}

function resumeRewrite(store: BucketStore, route: CopyRoute, request: ApiRequest, text: string): RewriteToken {
  const token = parseToken(text);
  const { source, bucket, name } = token.plan;
  const { destination } = route;
  if (source.bucket !== route.bucket || source.name !== route.object) throw badToken();
  if (bucket !== destination.bucket || name !== destination.object) throw badToken();
  if (store.object(source.bucket, source.name)?.generation !== source.generation)
    throw noSuchObject(source.bucket, source.name);
  checkPreconditions(source, parsePreconditions(request.query, 'ifSource'));
  const said = Object.entries(parsePreconditions(request.query)).filter(([, value]) => value !== null);
  const first = token.plan.conditions;
  if (said.some(([name, value]) => first[name as keyof Preconditions] !== value))
    throw invalid('The conditions are not those of the first call of this rewrite.', 'rewriteToken');
  return token;
}

const signatureOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 16);

function tokenOf(token: RewriteToken): string {
  const text = Buffer.from(JSON.stringify(token)).toString('base64url');
  return `${text}.${signatureOf(text)}`;
}

function parseToken(text: string): RewriteToken {
  const [body = '', signature] = text.split('.');
  if (signature !== signatureOf(body)) throw badToken();
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as RewriteToken;
}

const badToken = (): Error =>
  invalid('Invalid rewrite token, or one of another source or destination.', 'rewriteToken');

/**
 * Concatenates up to 32 objects of one bucket. The result has no MD5, and counts the pieces that it is made of.
 *
 * @source Cloud Storage, "Composite objects"; JSON API, "Objects: compose" (read 2026-11-21)
 */
export async function composeObject(
  store: BucketStore,
  bucket: string,
  name: string,
  request: ApiRequest,
): Promise<Answer> {
  const fields = recordOf(await readJson(request), 'The request body');
  if (!store.bucket(bucket)) throw noSuchBucket();
  checkObjectName(name);
  const conditions = parsePreconditions(request.query);
  checkPreconditions(store.object(bucket, name), conditions);
  const sources = findSources(store, bucket, fields.sourceObjects);
  const settings = changeSettings({}, parseObjectRequest(fields.destination ?? {}).settings);
  const path = store.incomingPath();
  try {
    const whole = await receiveBody(concatenate(sources.map((source) => store.openBody(source))), path);
    const componentCount = sources.reduce((sum, source) => sum + (source.componentCount ?? 1), 0);
    const body = { ...whole, md5Hash: null, componentCount, isShared: false };
    return json(objectResource(store.write(bucket, name, body, settings, conditions), request.origin));
  } finally {
    rmSync(path, { force: true });
  }
}

function findSources(store: BucketStore, bucket: string, asked: unknown): readonly ObjectRecord[] {
  if (!Array.isArray(asked) || asked.length === 0) throw required('sourceObjects');
  if (asked.length > MAX_SOURCES)
    throw invalid(`The number of source components provided (${asked.length}) exceeds the maximum (${MAX_SOURCES})`);
  return asked.map((each: unknown) => {
    const { name, generation, objectPreconditions } = recordOf(each, 'A source object');
    if (typeof name !== 'string') throw required('sourceObjects.name');
    const object = store.object(bucket, name);
    if (!object || (generation !== undefined && Number(generation) !== object.generation))
      throw noSuchObject(bucket, name);
    checkSource(object, objectPreconditions);
    return object;
  });
}

function checkSource(object: ObjectRecord, conditions: unknown): void {
  if (conditions === undefined) return;
  const { ifGenerationMatch } = recordOf(conditions, 'objectPreconditions');
  if (ifGenerationMatch === undefined) return;
  checkPreconditions(object, parsePreconditions(new URLSearchParams({ ifGenerationMatch: String(ifGenerationMatch) })));
}

/** Each file is opened before the first is read, so that a source replaced meanwhile is still the one that was checked. */
async function* concatenate(files: readonly number[]): AsyncGenerator<Uint8Array> {
  const unread = [...files];
  try {
    for (let fd = unread.shift(); fd !== undefined; fd = unread.shift())
      yield* createReadStream('', { fd, start: 0, highWaterMark: 256 * 1024 });
  } finally {
    for (const fd of unread) closeSync(fd);
  }
}
