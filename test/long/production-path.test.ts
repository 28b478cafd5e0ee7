/** The environment prod over TLS, through a proxy, with each kind of credentials -> gold, and no secret anywhere. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { missingOpenssl } from './certificates.ts';
import {
  byVariable,
  type Credentials,
  inProduction,
  keyFile,
  type Production,
  QUERY,
  RUN,
} from './production-world.ts';

const missing = missingOpenssl();
if (missing !== null && process.env.CI === 'true') throw new Error(missing);
const here = missing === null ? {} : { skip: missing };

/** 40.00 + 12.50 on the first day, 7.25 on the second. */
const GOLD = 'order_date,orders,revenue\n2025-01-01,2,52.50\n2025-01-02,1,7.25\n';

const statusesOf = ({ gateway }: Production, host: string): ReadonlySet<number> =>
  new Set(gateway.seen.filter((one) => one.host === host).map(({ status }) => status));

async function assertGold(production: Production, credentials: Credentials): Promise<void> {
  const run = await production.assay([...RUN, ...credentials.flags], credentials.env);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.match(run.stdout, /published gold version 1\n.*warehouse: \d+ jobs/s);
  const query = await production.assay([...QUERY, ...credentials.flags], credentials.env);
  assert.equal(query.stdout, GOLD, query.stderr);
}

/** All went by the proxy, the requests for objects on few tunnels, and nothing that is secret stands anywhere. */
async function assertDiscreet(production: Production): Promise<void> {
  const { gateway, leaks } = production;
  assert.deepEqual(gateway.strays, []);
  const host = 'storage.googleapis.com';
  const requests = gateway.seen.filter((one) => one.host === host).length;
  const tunnels = gateway.tunnels.filter((one) => one === host).length;
  assert.ok(tunnels * 5 < requests, `${tunnels} tunnels for ${requests} requests`);
  assert.deepEqual(await leaks(), []);
}

describe('a run in prod comes to gold', here, () => {
  test('with a service account key, whose tokens end sooner than was said', async () => {
    await inProduction({ tokens: { uses: 7 } }, async (production) => {
      await assertGold(production, keyFile(production.files.serviceAccount));
      await assertDiscreet(production);
      assert.ok(statusesOf(production, 'storage.googleapis.com').has(401));
      assert.ok(statusesOf(production, 'bigquery.googleapis.com').has(401));
      assert.deepEqual([...new Set(production.tokens.given.map(({ grant }) => grant))], ['service account']);
    });
  });

  test('with a workload identity, whose tokens have to be renewed by the clock', async () => {
    await inProduction({ tokens: { livesSeconds: 300 } }, async (production) => {
      await assertGold(production, keyFile(production.files.workloadIdentity));
      await assertDiscreet(production);
      const { gateway, tokens } = production;
      assert.ok(gateway.seen.every(({ status }) => status !== 401));
      assert.deepEqual([...new Set(tokens.given.map(({ grant }) => grant))], ['workload identity']);
      const processes = 4;
      assert.ok(tokens.given.length > 10 * processes, `${tokens.given.length} tokens`);
    });
  });

  test('with the login of a user, whose tokens end sooner than was said', async () => {
    await inProduction({ tokens: { uses: 7 } }, async (production) => {
      await assertGold(production, byVariable(production.files.user));
      await assertDiscreet(production);
      assert.ok(statusesOf(production, 'storage.googleapis.com').has(401));
      assert.deepEqual([...new Set(production.tokens.given.map(({ grant }) => grant))], ['user']);
    });
  });

  test('with application default credentials that act for a service account', async () => {
    await inProduction({}, async (production) => {
      await assertGold(production, byVariable(production.files.impersonating));
      await assertDiscreet(production);
      const grants = new Set(production.tokens.given.map(({ grant }) => grant));
      assert.deepEqual([...grants], ['workload identity', 'impersonation']);
    });
  });
});

test('settings that are shown leave the password of the proxy out', here, async () => {
  await inProduction({}, async ({ assay, gateway, leaks }) => {
    const shown = await assay(['config', 'show']);
    assert.equal(shown.code, 0, shown.stderr);
    assert.ok(shown.stdout.includes(`http://ada:***@127.0.0.1:${gateway.port}`));
    const explained = await assay(['config', 'explain', 'network.proxy']);
    assert.match(explained.stdout, /^network\.proxy = http:\/\/ada:\*\*\*@.*\n {2}set by {3}variable HTTPS_PROXY\n/);
    assert.deepEqual(await leaks(), []);
  });
});
