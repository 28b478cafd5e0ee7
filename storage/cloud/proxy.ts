/** A proxy and an address -> the agent whose connections lead there, or none where the way is straight. */
import type { Agent } from 'node:http';
import { HttpsProxyAgent } from 'https-proxy-agent';

export interface HttpProxy {
  /** `http://proxy:3128`, with user and password where it wants them. */
  readonly url: string;
  /** Whom it is not asked for, in Google's words: `host`, `.ending`, `*.ending`, `https://host:port`. */
  readonly noProxy: readonly string[];
}

/** Those of Node's own agents: connections are kept for the next request, but not for long. */
const POOL = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

/** Null: Node's own agent. Requests to plain http go through a tunnel as well, as those of Google's clients do. */
export function createProxyAgents(proxy: HttpProxy | null): (address: string) => Agent | null {
  if (proxy === null) return () => null;
  const agent = new HttpsProxyAgent(proxy.url, POOL);
  return (address) => (mayUseProxy(address, proxy.noProxy) ? agent : null);
}

/** @source gaxios 7.3.1, `#urlMayUseProxy`: the rule of Google's auth library; teeny-request 10.1.4 has the same */
export function mayUseProxy(address: string, noProxy: readonly string[]): boolean {
  const { origin, hostname, href } = new URL(address);
  return !noProxy.some((rule) => {
    if (rule.startsWith('*.') || rule.startsWith('.')) return hostname.endsWith(rule.replace(/^\*/, ''));
    return rule === origin || rule === hostname || rule === href;
  });
}
