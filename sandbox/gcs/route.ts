/** Method, path and parameters of a request -> the operation of the JSON API that it asks for. */
import { ApiError, invalid, notImplemented } from './api-error.ts';
import { preconditionNames } from './preconditions.ts';

interface BucketTarget {
  readonly bucket: string;
}

interface ObjectTarget extends BucketTarget {
  readonly object: string;
}

export type Route =
  | { readonly operation: 'buckets.list' | 'buckets.insert' }
  | ({ readonly operation: 'buckets.get' | 'buckets.delete' | 'objects.list' } & BucketTarget)
  | ({ readonly operation: 'objects.insert' | 'objects.insert.start' } & BucketTarget)
  | ({ readonly operation: 'objects.insert.chunk' | 'objects.insert.status' | 'objects.insert.cancel' } & BucketTarget)
  | ({ readonly operation: 'objects.get' | 'objects.delete' | 'objects.patch' | 'objects.update' } & ObjectTarget)
  | ({ readonly operation: 'objects.compose' } & ObjectTarget)
  | ({ readonly operation: 'objects.copy' | 'objects.rewrite'; readonly destination: ObjectTarget } & ObjectTarget);

export type Operation = Route['operation'];

export interface RequestLine {
  readonly method: string;
  /** As sent, percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentRange: string | undefined;
}

/** Parameters of every request; those that change nothing here are let pass. */
const COMMON = ['alt', 'fields', 'prettyPrint', 'key', 'quotaUser'];
const GENERATION = preconditionNames('if');
const METAGENERATION = GENERATION.slice(2);
const COPY = [...GENERATION, ...preconditionNames('ifSource'), 'sourceGeneration'];
const UPLOAD = [...GENERATION, 'uploadType', 'name', 'contentEncoding'];
const SESSION = [...UPLOAD, 'upload_id'];

/** Parameters that are answered; any other is 501, so that nobody takes silence for agreement. */
const PARAMETERS: { readonly [O in Operation]: readonly string[] } = {
  'buckets.list': ['project', 'prefix', 'maxResults', 'pageToken'],
  'buckets.insert': ['project'],
  'buckets.get': METAGENERATION,
  'buckets.delete': METAGENERATION,
  // Google's Node client sends its own option `autoPaginate` along.
  'objects.list': [
    'prefix',
    'delimiter',
    'startOffset',
    'endOffset',
    'matchGlob',
    'maxResults',
    'pageToken',
    'versions',
    'autoPaginate',
  ],
  'objects.insert': UPLOAD,
  'objects.insert.start': UPLOAD,
  'objects.insert.chunk': SESSION,
  'objects.insert.status': SESSION,
  'objects.insert.cancel': SESSION,
  'objects.get': [...GENERATION, 'generation'],
  'objects.delete': [...GENERATION, 'generation'],
  'objects.patch': [...GENERATION, 'generation'],
  'objects.update': [...GENERATION, 'generation'],
  'objects.compose': GENERATION,
  'objects.copy': COPY,
  'objects.rewrite': [...COPY, 'rewriteToken', 'maxBytesRewrittenPerCall'],
};

/** @throws ApiError 501 naming method and path, or the parameter, that the sandbox does not answer */
export function routeOf(request: RequestLine): Route {
  const route = uploadRoute(request) ?? resourceRoute(request);
  if (!route) throw notImplemented(`${request.method} ${request.path}`);
  const known = PARAMETERS[route.operation];
  for (const name of request.query.keys()) {
    if (name === 'projection' && request.query.get(name) === 'noAcl') continue;
    if (!known.includes(name) && !COMMON.includes(name))
      throw notImplemented(`the parameter ${name} of ${route.operation}`);
  }
  return route;
}

function uploadRoute({ method, path, query, contentRange }: RequestLine): Route | null {
  const match = /^\/(?:resumable\/)?upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(path);
  if (!match) return null;
  const bucket = decode(match[1]);
  if (query.has('upload_id')) {
    if (method === 'DELETE') return { operation: 'objects.insert.cancel', bucket };
    if (method !== 'PUT' && method !== 'POST') return null;
    const isStatus = contentRange?.startsWith('bytes */') ?? false;
    return { operation: isStatus ? 'objects.insert.status' : 'objects.insert.chunk', bucket };
  }
  if (method !== 'POST') return null;
  const type = query.get('uploadType');
  if (type === 'resumable') return { operation: 'objects.insert.start', bucket };
  if (type === 'media' || type === 'multipart') return { operation: 'objects.insert', bucket };
  throw invalid(`Invalid value for uploadType: ${type ?? '(none)'}`, 'uploadType');
}

function resourceRoute({ method, path }: RequestLine): Route | null {
  const match = /^\/(?:download\/)?storage\/v1\/b(?:\/([^/]+)(?:\/o(?:\/([^/]+)(\/.+)?)?)?)?$/.exec(path);
  if (!match) return null;
  if (match[1] === undefined) {
    if (method === 'GET') return { operation: 'buckets.list' };
    return method === 'POST' ? { operation: 'buckets.insert' } : null;
  }
  const bucket = decode(match[1]);
  if (match[2] !== undefined) return objectRoute(method, bucket, decode(match[2]), match[3] ?? '');
  if (/\/o$/.test(path)) return method === 'GET' ? { operation: 'objects.list', bucket } : null;
  if (method === 'GET') return { operation: 'buckets.get', bucket };
  return method === 'DELETE' ? { operation: 'buckets.delete', bucket } : null;
}

function objectRoute(method: string, bucket: string, object: string, rest: string): Route | null {
  const target = { bucket, object };
  if (rest === '') {
    const verb = { GET: 'get', DELETE: 'delete', PATCH: 'patch', PUT: 'update' }[method];
    return verb ? { operation: `objects.${verb}` as 'objects.get', ...target } : null;
  }
  if (method !== 'POST') return null;
  if (rest === '/compose') return { operation: 'objects.compose', ...target };
  const copy = /^\/(copy|rewrite)To\/b\/([^/]+)\/o\/([^/]+)$/.exec(rest);
  if (!copy) return null;
  const destination = { bucket: decode(copy[2]), object: decode(copy[3]) };
  return { operation: copy[1] === 'copy' ? 'objects.copy' : 'objects.rewrite', ...target, destination };
}

function decode(segment: string | undefined): string {
  try {
    return decodeURIComponent(segment ?? '');
  } catch {
    throw new ApiError(400, 'invalid', `Not percent-encoded UTF-8: ${segment}`);
  }
}
