/** How long does it take to compile thousands of specs, all of them, none of them again, and one that was edited? */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openProject } from '../cli/project.ts';
import type { SpecMemory } from '../dags/compile-spec.ts';
import { SHOP } from '../test/fixtures-support/spec-folder.ts';
import { printFigures, sizeFlag, timeMs } from './measure.ts';

/** Once after another in one process, as in a server. `--specs=1000` for fewer. */
export async function bench(): Promise<void> {
  const specs = sizeFlag('specs', 5_000);
  const root = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    await mkdir(join(root, '.assay'));
    for (let at = 0; at < specs; at += 1) await write(root, at, 'nobody');
    const memory: SpecMemory = new Map();
    const open = () =>
      timeMs(async () => {
        const { dags } = await openProject({ project: root }, root, memory);
        if (dags.length !== specs) throw new Error(`${dags.length} of ${specs} specs compiled`);
      });
    const cold = [await open()];
    const same = [await open(), await open(), await open()];
    const edited: number[] = [];
    for (const owner of ['one', 'two', 'three']) {
      await write(root, specs - 1, owner);
      edited.push(await open());
    }
    printFigures([
      { label: `${specs} specs of two tables, compiled for the first time`, values: cold, unit: 'ms', target: '< 5 s' },
      { label: 'read again, none edited', values: same, unit: 'ms' },
      { label: 'read again, one edited', values: edited, unit: 'ms', target: '< 50 ms' },
    ]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function write(root: string, at: number, owner: string): Promise<void> {
  const folder = join(root, 'specs', `shop_${at}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'pipeline.yml'), `owner: ${owner}\n${SHOP}`);
}
