/** A sandbox in a process of its own, for tests that kill it: prints its address, lives until it is killed. */
import { createFaults } from '../../sandbox/faults.ts';
import { startSandbox } from '../../sandbox/server.ts';
import { silent } from './gcs-server.ts';

const [folder = ''] = process.argv.slice(2);
try {
  const clock = { now: () => Date.UTC(2026, 0, 1) };
  const sandbox = await startSandbox({
    folder,
    host: '127.0.0.1',
    port: 0,
    faults: createFaults([], 1),
    clock,
    log: silent,
  });
  process.send?.({ url: sandbox.url });
} catch (thrown) {
  process.send?.({ error: thrown instanceof Error ? thrown.message : String(thrown) });
  process.disconnect?.();
}
