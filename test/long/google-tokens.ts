/** What Google's token endpoints are sent -> access tokens, for whoever proves who he is; and which of them still count. */
import { createPublicKey, randomBytes, verify } from 'node:crypto';

/** Whom the endpoints know. */
export interface Identities {
  readonly clientEmail: string;
  /** PEM, of the service account's key pair. */
  readonly publicKey: string;
  /** `//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x` */
  readonly audience: string;
  readonly subjectToken: string;
  /** Of somebody who logged in with gcloud. */
  readonly refreshToken: string;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: object;
}

export type Grant = 'service account' | 'user' | 'workload identity' | 'impersonation';

export interface Tokens {
  /** `POST oauth2.googleapis.com/token`, or the older address of the same: a signed JWT, or a user's refresh token. */
  exchangeGrant(address: string, form: URLSearchParams): TokenAnswer;
  /** `POST sts.googleapis.com/v1/token` */
  exchangeSubject(address: string, form: URLSearchParams): TokenAnswer;
  /** `POST iamcredentials.googleapis.com/v1/…:generateAccessToken`, for an exchanged subject. */
  impersonate(authorization: string | undefined): TokenAnswer;
  /** Counts one use; false: the bearer is not, or no longer, let in. */
  admits(authorization: string | undefined): boolean;
  /** Every token that was given, in order. */
  readonly given: readonly { readonly grant: Grant; readonly token: string }[];
}

export interface TokenRules {
  /** What is said of every token. Default: an hour. Google's library renews one that has five minutes left. */
  readonly livesSeconds?: number;
  /** Every token ends after so many uses, whatever was said of it. */
  readonly uses?: number;
  /** What an exchange at this address is answered instead of a token; null: it gets one. */
  readonly refuse?: (address: string) => TokenAnswer | null;
}

const TOKEN_ADDRESSES = new Set(['https://oauth2.googleapis.com/token', 'https://www.googleapis.com/oauth2/v4/token']);
const HOUR_SECONDS = 3_600;
const DEFAULT_SCOPE = 'https://www.googleapis.com/auth/';
const JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

interface Lease {
  readonly endsAtMs: number;
  usesLeft: number;
}

/**
 * @source RFC 7523 (JWT bearer), RFC 8693 (token exchange); https://developers.google.com/identity/protocols/oauth2/service-account;
 *   https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token (read 2026-11-21)
 */
export function createTokens(identities: Identities, rules: TokenRules): Tokens {
  const leases = new Map<string, Lease>();
  const given: { grant: Grant; token: string }[] = [];

  function lease(grant: Grant): { readonly token: string; readonly seconds: number } {
    const token = `ya29.${randomBytes(24).toString('hex')}`;
    const seconds = rules.livesSeconds ?? HOUR_SECONDS;
    leases.set(token, { endsAtMs: Date.now() + seconds * 1_000, usesLeft: rules.uses ?? Infinity });
    given.push({ grant, token });
    return { token, seconds };
  }

  const granted = (grant: Grant, more: object = {}): TokenAnswer => {
    const { token, seconds } = lease(grant);
    return { status: 200, body: { access_token: token, expires_in: seconds, token_type: 'Bearer', ...more } };
  };

  function admits(authorization: string | undefined): boolean {
    const found = leases.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '');
    if (found === undefined || Date.now() >= found.endsAtMs || found.usesLeft === 0) return false;
    found.usesLeft -= 1;
    return true;
  }

  return {
    given,
    admits,
    exchangeGrant: (address, form) => {
      const refusal = rules.refuse?.(address) ?? null;
      if (refusal !== null) return refusal;
      if (form.get('grant_type') === 'refresh_token') {
        const isKnown = form.get('refresh_token') === identities.refreshToken;
        return isKnown ? granted('user') : refused('invalid_grant', 'Bad Request');
      }
      const fault = faultOfJwt(address, form, identities);
      return fault === null ? granted('service account') : refused('invalid_grant', fault);
    },
    exchangeSubject: (address, form) => {
      const refusal = rules.refuse?.(address) ?? null;
      if (refusal !== null) return refusal;
      const fault = faultOfExchange(form, identities);
      if (fault !== null) return refused('invalid_grant', fault);
      return granted('workload identity', { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    },
    impersonate: (authorization) => {
      if (!admits(authorization))
        return { status: 401, body: { error: { code: 401, message: 'no such federated token' } } };
      const { token, seconds } = lease('impersonation');
      return {
        status: 200,
        body: { accessToken: token, expireTime: new Date(Date.now() + seconds * 1_000).toISOString() },
      };
    },
  };
}

const refused = (error: string, description: string): TokenAnswer => ({
  status: 400,
  body: { error, error_description: description },
});

/** Null: it is as the documents want it, and signed by the account's key. */
function faultOfJwt(address: string, form: URLSearchParams, { clientEmail, publicKey }: Identities): string | null {
  if (!TOKEN_ADDRESSES.has(address)) return `There is no token endpoint ${address}.`;
  if (form.get('grant_type') !== JWT_GRANT) return 'Unexpected grant type.';
  const [header = '', payload = '', signature = ''] = (form.get('assertion') ?? '').split('.');
  const key = createPublicKey(publicKey);
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
    return 'Invalid JWT Signature.';
  const { alg } = partOf(header);
  const { iss, aud, iat, exp, scope } = partOf(payload);
  const nowSeconds = Date.now() / 1_000;
  if (alg !== 'RS256') return 'Invalid JWT: wrong algorithm.';
  if (iss !== clientEmail) return 'Invalid JWT: unknown issuer.';
  if (aud !== address) return 'Invalid JWT: wrong audience.';
  if (!(Number(iat) <= nowSeconds + 1 && Number(exp) > nowSeconds && Number(exp) - Number(iat) <= HOUR_SECONDS))
    return 'Invalid JWT: wrong times.';
  return String(scope).startsWith(DEFAULT_SCOPE) ? null : 'Invalid OAuth scope.';
}

const partOf = (part: string): { readonly [claim: string]: unknown } =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as { [claim: string]: unknown };

function faultOfExchange(form: URLSearchParams, { audience, subjectToken }: Identities): string | null {
  const expected = {
    grant_type: EXCHANGE_GRANT,
    audience,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: subjectToken,
  };
  for (const [field, value] of Object.entries(expected)) if (form.get(field) !== value) return `Wrong ${field}.`;
  return form.get('scope')?.startsWith(DEFAULT_SCOPE) ? null : 'Wrong scope.';
}
