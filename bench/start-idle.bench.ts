/** How long until the server is healthy, what does it weigh at rest, and how quick are the shortest commands? */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    const figures: Figure[] = [
      { label: 'server: start to healthy', values: healthy, unit: 'ms', target: '≤ 500 ms' },
      { label: 'server: resident at rest, without its children', values: rss, unit: 'MB', target: '≤ 150 MB' },
      { label: 'node -e 0', values: await command('-e', '0'), unit: 'ms' },
      { label: 'assay --version', values: await command(MAIN, '--version'), unit: 'ms', target: '≤ 120 ms' },
      { label: 'assay --help', values: await command(MAIN, '--help'), unit: 'ms', target: 'node + 60 ms' },
    ];
    printFigures(figures);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Linux only: elsewhere the figure is missing. */
async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN) / 1024;
}
