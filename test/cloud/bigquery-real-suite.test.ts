/** The suites for a user's own project, tried on the sandbox: they run through, and leave nothing behind. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSandboxAccount } from './bigquery-servers.ts';

const SUITE = fileURLToPath(new URL('../real/run.js', import.meta.url));

interface World {
  /** In a process group of its own, as a terminal starts it. */
  start(): ChildProcess;
  left(): Promise<{ readonly datasets: number; readonly objects: number }>;
}

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  const { bucket, bigQueryEndpoint: url, close } = await startSandboxAccount();
  const listed = async (path: string, name: 'datasets' | 'items'): Promise<number> => {
    const answer = (await (await fetch(`${url}${path}`)).json()) as { readonly [key: string]: readonly unknown[] };
    return answer[name]?.length ?? 0;
  };
  try {
    await work({
      start: () =>
        spawn(process.execPath, [SUITE, '--project', 'my-project', '--bucket', bucket], {
          stdio: ['ignore', 'pipe', 'inherit'],
          detached: true,
          env: {
            ...process.env,
            NODE_TEST_CONTEXT: undefined,
            ASSAY_REAL_GCS_ENDPOINT: url ?? '',
            ASSAY_REAL_BIGQUERY_ENDPOINT: url ?? '',
          },
        }),
      left: async () => ({
        datasets: await listed('/bigquery/v2/projects/my-project/datasets', 'datasets'),
        objects: await listed(`/storage/v1/b/${bucket}/o`, 'items'),
      }),
    });
  } finally {
    await close();
  }
}

const NOTHING = { datasets: 0, objects: 0 };

async function outputOf(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) text += String(chunk);
  return text;
}

describe('test:real, tried on the sandbox', () => {
  test('runs through, says what it found, and leaves nothing behind', () =>
    withWorld(async ({ start, left }) => {
      const child = start();
      const exited = once(child, 'exit');
      const output = await outputOf(child);
      assert.equal((await exited)[0], 0, output.slice(-8_000));
      assert.match(output, /a job id that is taken\? HTTP 409 duplicate, and the job ran once/);
      assert.match(output, /nothing was left behind\n$/);
      assert.deepEqual(await left(), NOTHING);
    }));

  test('interrupted in the middle, it removes what its tests have made', () =>
    withWorld(async ({ start, left }) => {
      const child = start();
      const exited = once(child, 'exit');
      const output = outputOf(child);
      while ((await left()).datasets === 0) await wait(20);
      process.kill(-(child.pid ?? 0), 'SIGINT');
      await exited;
      assert.match(await output, /left behind/);
      assert.deepEqual(await left(), NOTHING);
    }));

  test('without a project it says how it is called', async () => {
    const child = spawn(process.execPath, [SUITE], { stdio: ['ignore', 'ignore', 'pipe'] });
    const exited = once(child, 'exit');
    let text = '';
    for await (const chunk of child.stderr) text += String(chunk);
    assert.equal((await exited)[0], 2);
    assert.match(text, /--project P --bucket B/);
  });
});
