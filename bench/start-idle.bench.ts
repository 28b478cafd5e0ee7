/** How long until the server is healthy and a task child ready, what does the server weigh at rest, and how quick are the shortest commands? */
import { fork, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readSettings } from '../config/settings.ts';
import { packageRoot } from '../test/fixtures-support/package-root.ts';
import { type Figure, printFigures, timeMs } from './measure.ts';
import { MAIN, startServer } from './serving.ts';

const RUNS = 7;

export async function bench(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    const project = join(base, 'shop');
    spawnSync(process.execPath, [MAIN, 'init', project]);
    const healthy: number[] = [];
    const rss: number[] = [];
    for (let at = 0; at < RUNS; at += 1) {
      let server: Awaited<ReturnType<typeof startServer>> | null = null;
      healthy.push(
        await timeMs(async () => {
          server = await startServer(project);
          await fetch(`${server.address}/api/v2/monitor/health`);
        }),
      );
      const started = server as Awaited<ReturnType<typeof startServer>> | null;
      if (!started) throw new Error('no server');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      rss.push(await residentMb(started.child.pid ?? 0));
      await started.stop();
    }
    const command = async (...args: string[]): Promise<readonly number[]> => {
      const values: number[] = [];
      for (let at = 0; at < RUNS; at += 1) values.push(await timeMs(async () => spawnSync(process.execPath, args)));
      return values;
    };
    const settings = await readSettings({ root: project });
    const ready: number[] = [];
    for (let at = 0; at < RUNS; at += 1) ready.push(await timeMs(() => untilReady(settings)));
    const figures: Figure[] = [
      { label: 'server: start to healthy', values: healthy, unit: 'ms', target: '≤ 500 ms' },
      { label: 'server: resident at rest, without its children', values: rss, unit: 'MB', target: '≤ 150 MB' },
      { label: 'task child: fork to ready', values: ready, unit: 'ms' },
      { label: 'node -e 0', values: await command('-e', '0'), unit: 'ms' },
      { label: 'assay --version', values: await command(MAIN, '--version'), unit: 'ms', target: '≤ 120 ms' },
      { label: 'assay --help', values: await command(MAIN, '--help'), unit: 'ms', target: 'node + 60 ms' },
      {
        label: 'assay spec validate, 8 tables, 10 transforms, 8 marts',
        values: await command(MAIN, '--project', packageRoot(), 'spec', 'validate'),
        unit: 'ms',
        target: '≤ 300 ms',
      },
    ];
    printFigures(figures);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** A child as the scheduler forks it; it ends with its channel. */
async function untilReady(settings: object): Promise<void> {
  const child = fork(join(dirname(MAIN), 'task-child.js'), [], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  child.send({ type: 'init', settings });
  await new Promise((resolve) => child.once('message', resolve));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Linux only: elsewhere the figure is missing. */
async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN) / 1024;
}
