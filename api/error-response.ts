/** Anything thrown -> the answer that its reader expects: Airflow's `detail`, an RFC 9457 problem, or a page. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';
import { asPipelineError, ERROR_CODES, type ErrorCode, type PipelineError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';
import { errorPage } from './pages/error-page.ts';
import type { ApiEnv } from './routes/api.ts';

interface Failure {
  readonly status: ContentfulStatusCode;
  readonly code: ErrorCode;
  readonly message: string;
  /** What was wrong where, of a request that did not parse. */
  readonly faults: readonly Fault[];
}

interface Fault {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** A refusal by HTTP itself (403, 413, 415, 421 …); its code is `usage`, because the caller asked in a wrong way. */
export function refuse(context: Context<ApiEnv>, status: ContentfulStatusCode, message: string): Response {
  return answer(context, { status, code: 'usage', message, faults: [] });
}

/** A bug says no more to the caller than its request id; the log has the rest. */
export function answerError(context: Context<ApiEnv>, thrown: unknown, log: Logger): Response {
  if (thrown instanceof HTTPException) return answer(context, fromHttp(thrown));
  const error = asPipelineError(thrown);
  if (ERROR_CODES[error.code].httpStatus < 500) return answer(context, fromPipeline(error));
  const requestId = context.get('requestId');
  log.error('request failed', {
    request_id: requestId,
    method: context.req.method,
    path: context.req.path,
    code: error.code,
    error: error.cause instanceof Error ? (error.cause.stack ?? error.message) : error.message,
  });
  if (error.code !== 'internal') return answer(context, fromPipeline(error));
  const message = `Something broke inside Assay. The server's log tells more under request id ${requestId}.`;
  return answer(context, { status: 500, code: 'internal', message, faults: [] });
}

/** For every request that does not match its schema: 422 for Airflow's clients, 400 for ours. */
export function answerInvalid(context: Context<ApiEnv>, target: string, error: ZodError): Response {
  const faults = error.issues.flatMap((issue) => faultsOf(issue, PLACES[target] ?? target));
  const message = faults.map((fault) => `${fault.loc.join('.')}: ${fault.msg}`).join('; ');
  return answer(context, { status: familyOf(context) === 'airflow' ? 422 : 400, code: 'usage', message, faults });
}

/** Where FastAPI says that a value came from. */
const PLACES: Readonly<Record<string, string>> = { json: 'body', form: 'body', param: 'path', query: 'query' };

function faultsOf(issue: ZodError['issues'][number], place: string): readonly Fault[] {
  const loc = [place, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
      type: 'extra_forbidden',
    }));
  }
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
    return [{ loc, msg: 'Field required', type: 'missing' }];
  return [{ loc, msg: issue.message, type: issue.code }];
}

function fromPipeline(error: PipelineError): Failure {
  return { status: ERROR_CODES[error.code].httpStatus, code: error.code, message: error.message, faults: [] };
}

function fromHttp(error: HTTPException): Failure {
  const { status } = error;
  switch (status) {
    case 400:
      return { status, code: 'usage', message: 'The body is no valid JSON. Send {} for an empty one.', faults: [] };
    case 415:
      return { status, code: 'usage', message: 'Send JSON, with Content-Type: application/json.', faults: [] };
    default:
      return { status: status as ContentfulStatusCode, code: 'usage', message: error.message, faults: [] };
  }
}

/** Who reads the answer: Airflow's clients, ours, or a person at the page. */
function familyOf(context: Context<ApiEnv>): 'airflow' | 'assay' | 'page' {
  const { path } = context.req;
  if (path === '/api/v2' || path.startsWith('/api/v2/')) return 'airflow';
  return path.startsWith('/api/') || path === '/openapi.json' ? 'assay' : 'page';
}

function answer(context: Context<ApiEnv>, failure: Failure): Response {
  const { status, code, message, faults } = failure;
  switch (familyOf(context)) {
    case 'airflow':
      // Clients parse a 422 as a list and everything else as a word; the type must be application/json and no more.
      // They pass over `code`, which is for our own command line.
      if (status !== 422) return context.json({ detail: message, code }, status);
      return context.json(
        { detail: faults.length > 0 ? faults : [{ loc: ['body'], msg: message, type: code }], code },
        422,
      );
    case 'assay':
      return context.json(
        {
          type: `urn:assay:problem:${code}`,
          title: code.replaceAll('_', ' '),
          status,
          detail: message,
          code,
          request_id: context.get('requestId'),
          ...(faults.length > 0 ? { errors: faults } : {}),
        },
        status,
        { 'Content-Type': 'application/problem+json' },
      );
    case 'page':
      return context.body(errorPage({ status, message }).toString(), status, {
        'Content-Type': 'text/html; charset=UTF-8',
      });
  }
}
