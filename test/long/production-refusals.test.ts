/** The environment prod, and something on the way to Google that does not let it -> one sentence that says what, and the exit code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingOpenssl } from './certificates.ts';
import type { TokenAnswer } from './google-tokens.ts';
import {
  type Credentials,
  inProduction,
  keyFile,
  type Production,
  type ProductionOptions,
  QUERY,
  RUN,
} from './production-world.ts';

const missing = missingOpenssl();
if (missing !== null && process.env.CI === 'true') throw new Error(missing);
const here = missing === null ? {} : { skip: missing };

const INVALID_GRANT = { status: 400, body: { error: 'invalid_grant', error_description: 'Account has been deleted.' } };

const apiRefusal = (status: number, reason: string, message: string) => ({
  status,
  body: { error: { code: status, message, errors: [{ domain: 'global', reason, message }] } },
});

interface Refusal {
  readonly title: string;
  readonly tokens?: (address: string) => TokenAnswer | null;
  readonly answers?: (host: string) => TokenAnswer | null;
  readonly credentials?: (production: Production) => Credentials;
  readonly env?: (production: Production) => Readonly<Record<string, string>>;
  /** Of the run: its task and code, and what it is told. */
  readonly failed: string;
  readonly told: string;
}

/** Bronze is listed, then published data read; whichever of the two comes first. */
const BUCKET_OBJECT = 'Cannot (list gs://shop-lake/shop/bronze/orders/|read gs://shop-lake/shop/[a-z]+/_latest.json): ';
const LOOK = 'BigQuery: look at shop_silver.orders: ';

const REFUSALS: readonly Refusal[] = [
  {
    title: 'a service account that is gone',
    tokens: () => INVALID_GRANT,
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}no Google credentials can be used \\(invalid_grant: Account has been deleted\\); run "gcloud auth application-default login", or set google.key_file\\.`,
  },
  {
    title: 'a subject token that is not taken',
    tokens: () => INVALID_GRANT,
    credentials: ({ files }) => keyFile(files.workloadIdentity),
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}no Google credentials can be used \\(Error code invalid_grant: Account has been deleted\\); run .*google.key_file\\.`,
  },
  {
    title: 'a service account that goes before BigQuery is asked',
    tokens: (address) => (address.includes('//oauth2.') ? INVALID_GRANT : null),
    failed: 'load_warehouse.orders \\(warehouse_denied\\)',
    told: `${LOOK}invalid_grant: Account has been deleted\\. The credentials are not accepted: see google.key_file, or log in .*\\.`,
  },
  {
    title: 'no credentials at all',
    credentials: () => ({ flags: [], env: {} }),
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}no Google credentials can be used \\(Could not load the default credentials\\..*\\); run .*google.key_file\\.`,
  },
  {
    title: 'a token that Cloud Storage does not take, nor the next one',
    answers: (host) => (host === 'storage.googleapis.com' ? apiRefusal(401, 'authError', 'Invalid Credentials') : null),
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}401 authError: Invalid Credentials; the credentials are not accepted: see google.key_file\\.`,
  },
  {
    title: 'an account that may not read the bucket',
    answers: (host) =>
      host === 'storage.googleapis.com' ? apiRefusal(403, 'forbidden', 'etl does not have storage.objects.get.') : null,
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}403 forbidden: etl does not have storage.objects.get\\. The account needs storage.objects.(get|list) on gs://shop-lake/; check which credentials are used\\.`,
  },
  {
    title: 'a token that BigQuery does not take, nor the next one',
    answers: (host) =>
      host === 'bigquery.googleapis.com' ? apiRefusal(401, 'authError', 'Invalid Credentials') : null,
    failed: 'load_warehouse.orders \\(warehouse_denied\\)',
    told: `${LOOK}Invalid Credentials\\. The credentials are not accepted: see google.key_file, or log in .*\\.`,
  },
  {
    title: 'an account that may not use BigQuery',
    answers: (host) =>
      host === 'bigquery.googleapis.com'
        ? apiRefusal(403, 'accessDenied', 'Access Denied: Permission bigquery.tables.get denied')
        : null,
    failed: 'load_warehouse.orders \\(warehouse_denied\\)',
    told: `${LOOK}Access Denied: Permission bigquery.tables.get denied\\. Grant the account of this environment the permission bigquery.tables.get, .*\\.`,
  },
  {
    title: 'a proxy that wants another password',
    env: ({ gateway }) => ({ HTTPS_PROXY: `http://ada:pl4nted@127.0.0.1:${gateway.port}` }),
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}the proxy wants a user and a password; see network.proxy\\.`,
  },
  {
    title: 'a proxy whose authority nobody named',
    env: () => ({ NODE_EXTRA_CA_CERTS: '' }),
    failed: 'pin_bronze \\(storage_denied\\)',
    told: `${BUCKET_OBJECT}the certificate is not trusted here \\(.*\\); where a proxy opens connections, name its authority in NODE_EXTRA_CA_CERTS\\.`,
  },
];

test('a run in prod fails with one sentence, at the first try, and tells no secret', here, async (context) => {
  let now: Refusal | null = null;
  const options: ProductionOptions = {
    tokens: { refuse: (address) => now?.tokens?.(address) ?? null },
    refuse: ({ host }) => now?.answers?.(host) ?? null,
  };
  await inProduction(options, async (production) => {
    for (const refusal of REFUSALS) {
      now = refusal;
      await context.test(`for ${refusal.title}`, () => assertRefused(production, refusal));
    }
  });
});

async function assertRefused(production: Production, refusal: Refusal): Promise<void> {
  const { credentials, env, failed, told } = refusal;
  const chosen = credentials?.(production) ?? keyFile(production.files.serviceAccount);
  const more = { ...chosen.env, ...env?.(production) };
  const run = await production.assay([...RUN, ...chosen.flags], more);
  const output = run.stdout + run.stderr;
  assert.equal(run.code, 8, output);
  assert.match(run.stdout, new RegExp(`^ {2}failed: ${failed}\\n {4}${told}\\n {4}log: `, 'm'));
  assert.doesNotMatch(output, /pl4nted|up_for_retry/);
  assert.deepEqual(await production.leaks(), []);
  if (!failed.includes('storage_denied')) return;
  const query = await production.assay([...QUERY, ...chosen.flags], more);
  assert.equal(query.code, 8, query.stderr);
  assert.match(ownWords(query.stderr), new RegExp(`^${told}\\n\\(storage_denied\\)\\n$`));
}

/** Without the two lines in which Node passes on that a library warns, e.g. of what answers where Google's metadata server would be. */
const ownWords = (stderr: string): string => stderr.replace(/^\(node:\d+\) .*\n(\(Use `node .*\n)?/gm, '');
