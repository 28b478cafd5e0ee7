/** How long does a chain of 40 light tasks take, triggered over REST, with warm children? */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printFigures } from './measure.ts';
import { startServer } from './serving.ts';

const TASKS = 40;
const RUNS = 15;

interface RunAnswer {
  readonly state: string;
  readonly duration: number | null;
}

export async function bench(): Promise<void> {
  const project = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    await mkdir(join(project, 'specs/chain'), { recursive: true });
    const tasks = Array.from(
      { length: TASKS },
      (_, at) => `      - {id: t${at}, kind: short_circuit, setting: warehouse.load}`,
    );
    await writeFile(
      join(project, 'specs/chain/pipeline.yml'),
      `version: 1\npipeline: chain\nbase_silver:\n  tables: [{name: t, primary_key: [id]}]\ndags:\n  - id: chain\n    tasks:\n${tasks.join('\n')}\n`,
    );
    const server = await startServer(project);
    try {
      const walls: number[] = [];
      const runs: number[] = [];
      for (let at = 0; at <= RUNS; at += 1) {
        const { wallMs, runMs } = await once(server.address, at);
        // The first run forks the children.
        if (at > 0) {
          walls.push(wallMs);
          runs.push(runMs);
        }
      }
      printFigures([
        {
          label: `chain of ${TASKS}, POST to end seen by polling every 5 ms`,
          values: walls,
          unit: 'ms',
          target: '≤ 250 ms',
        },
        { label: `chain of ${TASKS}, start to end of the run`, values: runs, unit: 'ms' },
      ]);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

async function once(address: string, at: number): Promise<{ readonly wallMs: number; readonly runMs: number }> {
  const began = performance.now();
  const runs = `${address}/api/v2/dags/chain/dagRuns`;
  const posted = await fetch(runs, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ dag_run_id: `bench_${at}` }),
  });
  if (!posted.ok) throw new Error(await posted.text());
  for (;;) {
    const run = (await (await fetch(`${runs}/bench_${at}`)).json()) as RunAnswer;
    if (run.state === 'success') return { wallMs: performance.now() - began, runMs: (run.duration ?? 0) * 1_000 };
    if (run.state === 'failed') throw new Error('the chain failed');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
