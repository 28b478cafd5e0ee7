/** Rules for tokens -> a project in the environment prod, and a Google of its own behind a proxy that it has to go through. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { assay, type CliResult } from '../fixtures-support/assay-cli.ts';
import { makeCertificates } from './certificates.ts';
import { type Gateway, type GatewayOptions, GOOGLE_HOSTS, startGateway } from './google-gateway.ts';
import { createTokens, type TokenRules, type Tokens } from './google-tokens.ts';

export const PROJECT = 'shop-production';
export const BUCKET = 'shop-lake';
const CLIENT_EMAIL = `etl@${PROJECT}.iam.gserviceaccount.com`;
const AUDIENCE = '//iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ci/providers/builds';
const ORDERS = `order_id,customer,ordered_on,amount
1,ada,2025-01-01,40.00
2,grace,2025-01-01,12.50
3,ada,2025-01-02,7.25
`;

export const RUN = ['run', 'shop', '--date', '2025-01-02'];
export const QUERY = ['query', 'select * from gold.fct_daily_orders order by order_date', '--format', 'csv'];

/** How a command is told which credentials to use. */
export interface Credentials {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const keyFile = (file: string): Credentials => ({ flags: ['--set', `google.key_file=${file}`], env: {} });
export const byVariable = (file: string): Credentials => ({ flags: [], env: { GOOGLE_APPLICATION_CREDENTIALS: file } });

export interface Production {
  readonly gateway: Gateway;
  readonly tokens: Tokens;
  readonly project: string;
  /** Files of credentials, by what they are. */
  readonly files: Readonly<Record<'serviceAccount' | 'workloadIdentity' | 'impersonating' | 'user', string>>;
  /** `assay … --env prod`, through the proxy and with no credentials but those that are given. */
  assay(args: readonly string[], more?: Readonly<Record<string, string>>): Promise<CliResult>;
  /** Secrets that were made for it or given out, and that stand in what the commands printed or wrote; by place. */
  leaks(): Promise<readonly string[]>;
}

export interface ProductionOptions {
  readonly tokens?: TokenRules;
  readonly refuse?: GatewayOptions['refuse'];
}

const quiet = (): void => {};
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet };

export async function inProduction(
  { tokens: rules = {}, refuse }: ProductionOptions,
  work: (production: Production) => Promise<void>,
): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'assay-production-'));
  const folder = async (name: string): Promise<string> => {
    await mkdir(join(base, name));
    return join(base, name);
  };
  const certificates = makeCertificates(await folder('certificates'), GOOGLE_HOSTS);
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const subjectToken = `subject.${randomBytes(24).toString('hex')}`;
  const refreshToken = `1//${randomBytes(24).toString('hex')}`;
  const password = randomBytes(12).toString('hex');
  const tokens = createTokens(
    { clientEmail: CLIENT_EMAIL, publicKey, audience: AUDIENCE, subjectToken, refreshToken },
    rules,
  );
  const sandbox = await startSandbox({
    folder: await folder('google'),
    host: '127.0.0.1',
    port: 0,
    faults: createFaults([], 1),
    clock: { now: () => Date.now() },
    log: SILENT,
  });
  let gateway: Gateway | null = null;
  try {
    await makeBucket(sandbox.url);
    const account = `ada:${password}`;
    gateway = await startGateway({
      sandboxUrl: sandbox.url,
      certificates,
      account,
      tokens,
      ...(refuse === undefined ? {} : { refuse }),
    });
    const files = await writeCredentials(await folder('credentials'), { privateKey, subjectToken, refreshToken });
    const project = await makeProject(join(base, 'project'));
    const home = await folder('home');
    const printed: string[] = [];
    const { port } = gateway;
    const secrets = (): readonly string[] => [
      ...privateKey.split('\n').filter((line) => line !== '' && !line.startsWith('-----')),
      subjectToken,
      refreshToken,
      password,
      ...tokens.given.map(({ token }) => token),
    ];
    await work({
      gateway,
      tokens,
      project,
      files,
      assay: async (args, more = {}) => {
        const result = await assay([...args, '--env', 'prod'], {
          cwd: project,
          env: {
            ...NOTHING_SET,
            HOME: home,
            HTTPS_PROXY: `http://${account}@127.0.0.1:${port}`,
            NODE_EXTRA_CA_CERTS: certificates.authorityFile,
            ...more,
          },
        });
        printed.push(result.stdout, result.stderr);
        return result;
      },
      leaks: async () => {
        // What cannot find them where they are would find them nowhere.
        assert.ok((await leaksBelow(join(base, 'credentials'), secrets())).length > 1);
        return [
          ...printed.flatMap((text, at) => leaksIn(`output ${at}`, text, secrets())),
          ...(await leaksBelow(project, secrets())),
          ...(await leaksBelow(join(base, 'google'), secrets())),
        ];
      },
    });
  } finally {
    await gateway?.close();
    await sandbox.close();
    await rm(base, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the machine that runs the tests may have set; an empty variable counts as not set. */
const NOTHING_SET = Object.fromEntries(
  [
    ...['https_proxy', 'HTTP_PROXY', 'http_proxy', 'NO_PROXY', 'no_proxy', 'CLOUDSDK_CONFIG'],
    ...['STORAGE_EMULATOR_HOST', 'BIGQUERY_EMULATOR_HOST', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT'],
  ].map((name) => [name, '']),
);

async function makeBucket(url: string): Promise<void> {
  const answer = await fetch(`${url}/storage/v1/b?project=${PROJECT}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: BUCKET, location: 'US' }),
  });
  assert.ok(answer.ok, await answer.text());
}

async function makeProject(project: string): Promise<string> {
  assert.equal((await assay(['init', project])).code, 0);
  await writeFile(join(project, 'landing/shop/orders.csv'), ORDERS);
  await writeFile(
    join(project, 'config/config.yml'),
    `environments:
  prod:
    lake: {bucket: ${BUCKET}}
    google: {project: ${PROJECT}}
    retries: {count: 1, delay_seconds: 0}
    query: {max_seconds: 600}
`,
  );
  return project;
}

/** @source https://google.aip.dev/auth/4112 (keys), …/4113 (users), …/4117 (workload identity) */
async function writeCredentials(
  folder: string,
  secrets: Readonly<Record<'privateKey' | 'subjectToken' | 'refreshToken', string>>,
): Promise<Production['files']> {
  const write = async (name: string, content: object | string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const workload = {
    type: 'external_account',
    universe_domain: 'googleapis.com',
    audience: AUDIENCE,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: 'https://sts.googleapis.com/v1/token',
    credential_source: { file: await write('subject-token', secrets.subjectToken), format: { type: 'text' } },
  };
  return {
    serviceAccount: await write('service-account.json', {
      type: 'service_account',
      project_id: PROJECT,
      private_key_id: '1',
      private_key: secrets.privateKey,
      client_email: CLIENT_EMAIL,
      client_id: '7',
      token_uri: 'https://oauth2.googleapis.com/token',
      universe_domain: 'googleapis.com',
    }),
    workloadIdentity: await write('workload-identity.json', workload),
    impersonating: await write('impersonating.json', {
      ...workload,
      service_account_impersonation_url: `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${CLIENT_EMAIL}:generateAccessToken`,
    }),
    user: await write('user.json', {
      type: 'authorized_user',
      client_id: 'gcloud',
      client_secret: 'known to all',
      refresh_token: secrets.refreshToken,
    }),
  };
}

const leaksIn = (place: string, text: string, secrets: readonly string[]): readonly string[] =>
  secrets.flatMap((secret) => (text.includes(secret) ? [`${secret.slice(0, 12)}… in ${place}`] : []));

async function leaksBelow(folder: string, secrets: readonly string[]): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        const path = join(parentPath, name);
        return leaksIn(path, await readFile(path, 'latin1'), secrets);
      }),
  );
  return found.flat();
}
