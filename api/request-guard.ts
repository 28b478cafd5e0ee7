/** A request as it arrives -> the same request, named, bounded and known to come from here; or a refusal. */
import { isUtf8 } from 'node:buffer';
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { refuse } from './error-response.ts';
import { PAGE_SCRIPT_HASH, PAGE_STYLE_HASH } from './pages/layout.ts';
import type { ApiEnv } from './routes/api.ts';

const MAX_BODY_BYTES = 1024 * 1024;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    `script-src '${PAGE_SCRIPT_HASH}'`,
    `style-src '${PAGE_STYLE_HASH}'`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Stricter than this, a browser would send its own forms with `Origin: null`.
  'Referrer-Policy': 'same-origin',
};

export const securityHeaders: MiddlewareHandler<ApiEnv> = async (context, next) => {
  await next();
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) context.res.headers.set(name, value);
  if (!context.res.headers.has('Cache-Control')) context.res.headers.set('Cache-Control', 'no-store');
};

/**
 * Answers only requests that are addressed to this machine by a known name.
 * A foreign page can make its own name resolve to 127.0.0.1, but it cannot make the browser send another name.
 */
export function knownHost(allowedHosts: readonly string[]): MiddlewareHandler<ApiEnv> {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return async (context, next) => {
    const name = hostName(addressedTo(context.req.header('host'), context.req.url));
    if (name === null || !(isLoopback(name) || allowed.has(name))) {
      return refuse(
        context,
        421,
        `This server does not answer to the host name ${name ?? '(none)'}. Use 127.0.0.1 or localhost, or allow the name in the server's settings.`,
      );
    }
    return next();
  };
}

/** Lets a mutation pass only from a page of our own, or from a program, which sends no Origin. */
export const sameOrigin: MiddlewareHandler<ApiEnv> = async (context, next) => {
  const origin = context.req.header('origin');
  const site = context.req.header('sec-fetch-site');
  const host = addressedTo(context.req.header('host'), context.req.url);
  const isForeign =
    (origin !== undefined && originHost(origin) !== host.toLowerCase()) ||
    site === 'cross-site' ||
    site === 'same-site';
  if (isForeign && !isSafe(context.req.method)) {
    return refuse(context, 403, `Requests that change something are not taken from another site (${origin ?? site}).`);
  }
  return next();
};

export const limitedBody: MiddlewareHandler<ApiEnv> = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: (context) => refuse(context, 413, `The body is larger than ${MAX_BODY_BYTES / 1024} KiB.`),
});

/** Bytes that are no UTF-8 would be read as U+FFFD, so that a question were another one than was sent. */
export const utf8Body: MiddlewareHandler<ApiEnv> = async (context, next) => {
  if (!isSafe(context.req.method) && !isUtf8(await context.req.arrayBuffer()))
    return refuse(context, 400, 'The body is not UTF-8. Send JSON in UTF-8.');
  return next();
};

/** A body without a content type is taken for JSON: the Airflow clients always name it, hand-written calls forget it. */
export const jsonUnlessSaid: MiddlewareHandler<ApiEnv> = async (context, next) => {
  if (!isSafe(context.req.method) && context.req.header('content-type') === undefined) {
    const text = await context.req.text();
    if (text.trim() !== '') context.req.raw.headers.set('content-type', 'application/json');
  }
  await next();
};

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** Requests made without a connection have no Host header; their address says the same. */
function addressedTo(hostHeader: string | undefined, url: string): string {
  return hostHeader ?? new URL(url).host;
}

function hostName(host: string): string | null {
  try {
    return new URL(`http://${host}`).hostname.toLowerCase();
  } catch {
    return null;
  }
}

function originHost(origin: string): string | null {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    return null;
  }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
