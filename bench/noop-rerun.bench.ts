/** How long does it take to find that a day which was run before has nothing new, and does it write nothing? */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printFigures, timeMs } from './measure.ts';
import { MAIN } from './serving.ts';

const RUNS = 7;

export async function bench(): Promise<void> {
  const project = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    assay(['demo', project]);
    const rerun = ['--project', project, 'run', 'ecom_silver_to_gold_pipeline', '--date', '2025-10-14'];
    const before = await lakeState(project);
    const values: number[] = [];
    for (let at = 0; at < RUNS; at += 1) values.push(await timeMs(async () => assay(rerun)));
    printFigures([{ label: 'assay run of an unchanged day, whole process', values, unit: 'ms', target: '< 400 ms' }]);
    process.stdout.write(`  lake unchanged: ${(await lakeState(project)) === before ? 'yes' : 'NO'}\n`);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

function assay(args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    env: { ...process.env, CI: 'true' },
  });
  if (status !== 0) throw new Error(stderr);
}

/** Names, sizes and times of every file of the lake. */
async function lakeState(project: string): Promise<string> {
  const folder = join(project, 'data');
  const names = (await readdir(folder, { recursive: true })).sort();
  const facts = await Promise.all(names.map(async (name) => `${name} ${(await stat(join(folder, name))).mtimeMs}`));
  return facts.join('\n');
}
