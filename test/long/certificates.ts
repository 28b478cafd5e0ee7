/** Host names -> a certificate for them and the authority that vouches for it, made by the `openssl` program. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** For `NODE_EXTRA_CA_CERTS`. */
  readonly authorityFile: string;
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** Null: it is there. Else why it cannot be used. */
export function missingOpenssl(): string | null {
  try {
    execFileSync('openssl', ['version'], { stdio: 'pipe' });
    return null;
  } catch (thrown) {
    return `the openssl program is needed to make certificates: ${(thrown as Error).message}`;
  }
}

export function makeCertificates(folder: string, hosts: readonly string[]): Certificates {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = hosts.map((host) => `DNS:${host}`).join(',');
  writeFileSync(file('server.ext'), `subjectAltName=${names}\n`);
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Assay test CA');
  openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', `/CN=${hosts[0]}`);
  openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-extfile', 'server.ext', '-days', '2', '-out', 'server.pem'],
  );
  return {
    authorityFile: file('ca.pem'),
    certificate: readFileSync(file('server.pem')),
    key: readFileSync(file('server.key')),
  };
}
