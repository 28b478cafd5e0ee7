/** Child processes that a scheduler forks -> a file each, so that the next scheduler can end those that outlived a kill -9. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isAlive, type ProcessIdentity } from '../process-identity.ts';

/** A killed process is gone within milliseconds, unless the disk holds it. */
const REAP_TIMEOUT_MS = 10_000;

export class WorkerRegistry {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'workers');
  }

  add(pid: number): void {
    mkdirSync(this.#folder, { recursive: true });
    try {
      writeFileSync(this.#file(pid), JSON.stringify(identify(pid)));
    } catch (thrown) {
      // A full disk has made the file and could not fill it.
      rmSync(this.#file(pid), { force: true });
      throw thrown;
    }
  }

  remove(pid: number): void {
    rmSync(this.#file(pid), { force: true });
  }

  /**
   * Kills every registered process that is still alive and waits for its end: a child in native code does not notice at
   * once that its scheduler is gone, and would write beside its successor. Only under the project's lock.
   */
  async reap(): Promise<void> {
    const left = this.#registered();
    for (const worker of left) if (isAlive(worker)) kill(worker.pid);
    for (let waitedMs = 0; left.some(isAlive); waitedMs += 10) {
      if (waitedMs > REAP_TIMEOUT_MS) {
        const pids = left.filter(isAlive).map(({ pid }) => pid);
        throw new Error(`task processes of an earlier scheduler do not end: ${pids.join(', ')}`);
      }
      await sleep(10);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #registered(): readonly ProcessIdentity[] {
    let names: readonly string[];
    try {
      names = readdirSync(this.#folder);
    } catch {
      return [];
    }
    return names.flatMap((name) => {
      try {
        const { pid, startedAt } = JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as ProcessIdentity;
        // Without a start time an id may have been given to a stranger by now.
        return Number.isInteger(pid) && typeof startedAt === 'string' ? [{ pid, startedAt }] : [];
      } catch {
        return [];
      }
    });
  }

  #file(pid: number): string {
    return join(this.#folder, `${pid}.json`);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
