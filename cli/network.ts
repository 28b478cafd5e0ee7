/** Settings -> the proxy that requests to clouds go through, told to our own stores and to Google's clients alike. */
import { type Settings, withoutPassword } from '../config/settings.ts';
import { PipelineError } from '../core/errors.ts';
import type { HttpProxy } from '../storage/cloud/proxy.ts';

/** This machine, and the server that tells a machine of Google's its own tokens: behind a proxy it would be another's. */
const NEVER_BY_PROXY = [
  'localhost',
  '127.0.0.1',
  '[::1]',
  '169.254.169.254',
  'metadata.google.internal',
  'metadata.google.internal.',
];

/** @throws PipelineError `setting_invalid` for a proxy that is not spoken to over HTTP */
export function proxyOf({ values }: Settings): HttpProxy | null {
  const { 'network.proxy': address, 'network.no_proxy': hosts } = values;
  if (address === null) return null;
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new PipelineError(
      'setting_invalid',
      `network.proxy cannot be "${withoutPassword(address)}": an address that begins with http:// or https:// is needed. ` +
        '`assay config explain network.proxy` says what set it.',
      { context: { key: 'network.proxy' } },
    );
  }
  const named = hosts.split(',').map((host) => host.trim());
  return { url: address, noProxy: [...named.filter((host) => host !== ''), ...NEVER_BY_PROXY] };
}

/**
 * The same, and this process's variables say so too: Google's clients know of no other way to be told, and look at
 * HTTP_PROXY and HTTPS_PROXY in different orders.
 */
export function useProxy(settings: Settings): HttpProxy | null {
  const proxy = proxyOf(settings);
  if (proxy !== null) {
    process.env.HTTPS_PROXY = proxy.url;
    process.env.HTTP_PROXY = proxy.url;
    process.env.NO_PROXY = proxy.noProxy.join(',');
  }
  return proxy;
}
