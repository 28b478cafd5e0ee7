/** Every reason of BigQuery's error table is sent again, adopted or refused as the table says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERROR_CODES } from '../../core/errors.ts';
import {
  type BigQueryFault,
  BigQueryFaultError,
  backoffMs,
  credentialsFaultOf,
  decideFault,
  type FaultPlace,
  faultOf,
} from '../../serving/bigquery/errors.ts';

const fault = (reason: string, httpStatus: number | null = 400, message = 'It failed'): BigQueryFault => ({
  reason,
  httpStatus,
  message,
});

/** Reason, what a request does, what a finished job does. */
const TABLE: readonly (readonly [reason: string, status: number, request: string, job: string])[] = [
  ['backendError', 503, 'resend', 'new_job'],
  ['internalError', 500, 'resend', 'new_job'],
  ['jobInternalError', 400, 'new_job', 'new_job'],
  ['jobBackendError', 400, 'new_job', 'new_job'],
  ['rateLimitExceeded', 403, 'resend', 'new_job'],
  ['jobRateLimitExceeded', 400, 'new_job', 'new_job'],
  ['tableUnavailable', 400, 'resend', 'new_job'],
  ['quotaExceeded', 403, 'warehouse_quota', 'warehouse_quota'],
  ['duplicate', 409, 'adopt', 'warehouse_rejected'],
  ['resourcesExceeded', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['responseTooLarge', 403, 'warehouse_rejected', 'warehouse_rejected'],
  ['billingTierLimitExceeded', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['bytesBilledLimitExceeded', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['timeout', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['invalid', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['invalidQuery', 400, 'sql_invalid', 'sql_invalid'],
  ['notFound', 404, 'warehouse_rejected', 'warehouse_rejected'],
  ['accessDenied', 403, 'warehouse_denied', 'warehouse_denied'],
  ['billingNotEnabled', 403, 'warehouse_denied', 'warehouse_denied'],
  ['blocked', 403, 'warehouse_denied', 'warehouse_denied'],
  ['notImplemented', 501, 'warehouse_rejected', 'warehouse_rejected'],
  ['resourceInUse', 400, 'warehouse_rejected', 'warehouse_rejected'],
  ['stopped', 200, 'warehouse_rejected', 'warehouse_rejected'],
  ['conditionNotMet', 412, 'precondition_failed', 'precondition_failed'],
  ['credentials', 400, 'warehouse_denied', 'warehouse_denied'],
  ['certificate', 400, 'warehouse_denied', 'warehouse_denied'],
  ['http', 407, 'warehouse_denied', 'warehouse_rejected'],
];

const decided = (each: BigQueryFault, place: FaultPlace): string => {
  const decision = decideFault(each, place);
  return decision.kind === 'fail' ? decision.code : decision.kind;
};

describe('a fault of BigQuery by its reason', () => {
  for (const [reason, status, request, job] of TABLE) {
    test(`${reason}: a request is ${request}, a finished job ${job}`, () => {
      assert.equal(decided(fault(reason, status), 'request'), request);
      assert.equal(decided(fault(reason, null), 'job'), job);
    });
  }

  const BY_STATUS: readonly (readonly [status: number, request: string])[] = [
    [408, 'resend'],
    [429, 'resend'],
    [500, 'resend'],
    [502, 'resend'],
    [503, 'resend'],
    [504, 'resend'],
    [400, 'warehouse_rejected'],
    [401, 'warehouse_denied'],
    [403, 'warehouse_denied'],
    [404, 'warehouse_rejected'],
    [409, 'adopt'],
    [412, 'precondition_failed'],
    [501, 'warehouse_rejected'],
  ];
  for (const [status, request] of BY_STATUS) {
    test(`an answer ${status} without a reason: ${request}`, () => {
      assert.equal(decided(fault('http', status), 'request'), request);
    });
  }

  test('a connection that broke is sent again', () => {
    const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    assert.equal(decided(faultOf(reset), 'request'), 'resend');
  });

  test('a transaction, or statement, that another one overtook is run again, another failing query is not', () => {
    for (const message of [
      'Transaction is aborted due to concurrent update against table p:d.t',
      'Could not serialize access to table p:d.t due to concurrent update',
    ])
      assert.equal(decided(fault('invalidQuery', null, message), 'job'), 'new_job');
    assert.equal(decided(fault('invalidQuery', null, 'Syntax error'), 'job'), 'sql_invalid');
  });
});

describe('what the reader is told', () => {
  const errorOf = (each: BigQueryFault): BigQueryFaultError =>
    new BigQueryFaultError(each, { what: 'load enriched.orders', location: 'EU' }, { place: 'request' });

  test('a spent quota comes back in minutes, not at once', () => {
    const error = errorOf(fault('quotaExceeded', 403));
    assert.equal(error.code, 'warehouse_quota');
    assert.ok((error.retryAfterMs ?? 0) >= 10 * 60_000);
    assert.equal(ERROR_CODES[error.code].retryable, true);
  });

  test('a refusal names the permission that BigQuery names', () => {
    const message = 'Access Denied: Dataset p:gold: Permission bigquery.tables.create denied on dataset p:gold';
    assert.match(
      errorOf(fault('accessDenied', 403, message)).message,
      /Grant .* the permission bigquery\.tables\.create/,
    );
  });

  test('what is not found may lie in another location', () => {
    assert.match(errorOf(fault('notFound', 404)).message, /another location than EU/);
  });

  test('the reason is in the context, and what was being done in the message', () => {
    const error = errorOf(fault('invalid', 400, 'Bad schema'));
    assert.equal(error.context.reason, 'invalid');
    assert.match(error.message, /load enriched\.orders: Bad schema\./);
  });

  test('a service that stays away is unavailable, one that stays too busy asks for a pause', () => {
    assert.equal(errorOf(fault('backendError', 503)).code, 'warehouse_unavailable');
    const busy = errorOf(fault('rateLimitExceeded', 403));
    assert.equal(busy.code, 'warehouse_quota');
    assert.ok((busy.retryAfterMs ?? 0) > 0);
  });
});

test('the first reason of several answers for all, and its message too', () => {
  const thrown = {
    code: 403,
    message: 'whole',
    errors: [{ message: 'no reason' }, { reason: 'quotaExceeded', message: 'Quota exceeded: imports' }],
  };
  assert.deepEqual(faultOf(thrown), { reason: 'quotaExceeded', message: 'Quota exceeded: imports', httpStatus: 403 });
});

describe('what came instead of a token', () => {
  const thrown = (message: string, facts: object): Error => Object.assign(new Error(message), facts);
  const told = (error: Error): string => decided(credentialsFaultOf(error), 'request');

  test('is a refusal for good where the endpoint says no, or no credentials are found', () => {
    const refused = thrown('Could not refresh access token: invalid_grant: x', { code: 400, status: 400, config: {} });
    assert.equal(told(refused), 'warehouse_denied');
    assert.equal(credentialsFaultOf(refused).message, 'invalid_grant: x');
    assert.equal(told(thrown('Could not load the default credentials.', {})), 'warehouse_denied');
    assert.equal(told(thrown('no such file', { code: 'ENOENT' })), 'warehouse_denied');
  });

  test('is asked for again where the endpoint is in trouble or was not reached', () => {
    assert.equal(told(thrown('Backend', { code: 503, status: 503, config: {} })), 'resend');
    assert.equal(told(thrown('reset', { code: 'ECONNRESET', config: {} })), 'resend');
  });

  test('names the authority that is missing where a certificate is not trusted', () => {
    const fault = credentialsFaultOf(thrown('x', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', config: {} }));
    assert.equal(decided(fault, 'request'), 'warehouse_denied');
    const about = { what: 'load enriched.orders', location: 'EU' };
    assert.match(new BigQueryFaultError(fault, about, { place: 'request' }).message, /NODE_EXTRA_CA_CERTS/);
  });
});

test('pauses double, keep within half and whole of it, and end at 32 s', () => {
  assert.equal(backoffMs(1, 500, 1), 500);
  assert.equal(backoffMs(1, 500, 0), 250);
  assert.equal(backoffMs(4, 500, 1), 4_000);
  assert.equal(backoffMs(20, 500, 1), 32_000);
});
