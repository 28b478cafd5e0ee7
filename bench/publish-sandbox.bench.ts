/** How fast are files published to a bucket of the sandbox, against the same bytes sent to it by plain uploads? */
import { type ChildProcess, fork } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SandboxReply } from '../cli/sandbox-connection.ts';
import { mapParallel } from '../core/map-parallel.ts';
import type { ObjectStore } from '../core/ports.ts';
import { openGcsStore } from '../storage/gcs/store.ts';
import { openPublications } from '../storage/publications.ts';
import { type Figure, printFigures, timeMs } from './measure.ts';
import {
  FILE_BYTES,
  FILES,
  type LocalFile,
  PARALLEL,
  PARTITIONS,
  publish,
  writeSmall,
  writeSource,
} from './publish-files.ts';

const RUNS = 3;
const BUCKET = 'bench';
const clock = { now: () => Date.now() };

export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  const { child, url } = await startServer(join(folder, 'sandbox'));
  try {
    await fetch(`${url}/storage/v1/b?project=bench`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: BUCKET }),
    });
    const sent = countRequests();
    const gigabytes = await gigabyte(folder, url);
    const ofTen = await onePartition(folder, url, 10, sent);
    const ofMany = await onePartition(folder, url, PARTITIONS, sent);
    printFigures([...gigabytes, ofTen.figure, ofMany.figure]);
    process.stdout.write(
      `  requests that publish one changed partition: ${ofTen.requests} of 10, ${ofMany.requests} of ${PARTITIONS}\n`,
    );
    const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
    process.stdout.write(
      `  ${FILES} files, ${(FILES * FILE_BYTES) / 1e6} MB; peak memory of this process, the server apart, ${peakMb} MB\n`,
    );
  } finally {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

function startServer(folder: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(fileURLToPath(new URL('../cli/sandbox-child.js', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.send({ folder, port: 0 });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      const reply = message as SandboxReply;
      if (reply.ok) resolve({ child, url: reply.url });
      else reject(new Error(reply.message));
    });
  });
}

const storeOf = (folder: string, url: string, prefix: string): ObjectStore =>
  openGcsStore({
    bucket: BUCKET,
    prefix,
    cache: { folder: join(folder, 'cache'), maxBytes: 1e9 },
    projectId: 'bench',
    keyFile: null,
    endpoint: url,
  });

async function gigabyte(folder: string, url: string): Promise<Figure[]> {
  const source = await writeSource(join(folder, 'source'));
  const copies: number[] = [];
  const publishes: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    copies.push(await timeMs(() => copyAll(source, url, `copy-${run}`)));
    const store = storeOf(folder, url, `lake-${run}/`);
    publishes.push(await timeMs(() => publish(openPublications({ store, pipeline: 'bench', clock }), 'all', source)));
  }
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(RUNS - 1) >> 1] ?? 0;
  const share = Math.round((median(copies) / median(publishes)) * 100);
  return [
    { label: 'plain uploads', values: copies, unit: 'ms' },
    {
      label: 'the same staged and published',
      values: publishes,
      unit: 'ms',
      target: `≥ 80 %: ${share} % of the speed`,
    },
  ];
}

/** Requests that this process has sent so far by Node's own HTTP, which the store uses. */
function countRequests(): () => number {
  let sent = 0;
  subscribe('http.client.request.start', () => {
    sent += 1;
  });
  return () => sent;
}

async function onePartition(
  folder: string,
  url: string,
  of: number,
  sent: () => number,
): Promise<{ readonly figure: Figure; readonly requests: number }> {
  const store = storeOf(folder, url, `of-${of}/`);
  const lake = openPublications({ store, pipeline: 'bench', clock });
  const partitions = Array.from({ length: of }, (_, index) => `p${index}`);
  await publish(lake, 'first', await writeSmall(join(folder, `small-${of}`), partitions));
  const values: number[] = [];
  const before = sent();
  for (let run = 0; run < 10; run += 1) {
    const files = await writeSmall(join(folder, `change-${of}-${run}`), ['p0'], `change ${run}`);
    values.push(await timeMs(() => publish(lake, `run-${run}`, files, run + 1)));
  }
  return {
    figure: { label: `one changed partition of ${of.toLocaleString('en')}`, values, unit: 'ms' },
    requests: (sent() - before) / values.length,
  };
}

/** One request a file, its body read from the disk, nothing checked: the least that bringing them there can cost. */
async function copyAll(files: readonly LocalFile[], url: string, prefix: string): Promise<void> {
  await mapParallel(files, PARALLEL, async ({ path, localPath }) => {
    const name = encodeURIComponent(`${prefix}/${path}`);
    const answer = await fetch(`${url}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${name}`, {
      method: 'POST',
      body: await readFile(localPath),
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.arrayBuffer();
  });
}
