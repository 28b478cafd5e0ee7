/** A folder -> the sandbox's server on it, found by other processes of the project while it runs. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import type { Logger } from '../core/ports.ts';
import { createFaults, parseFaults } from '../sandbox/faults.ts';
import type { Faults, Service } from '../sandbox/ports.ts';
import { startSandbox } from '../sandbox/server.ts';
import { addressFile, type SandboxAddress } from './sandbox-connection.ts';
import { systemClock } from './system-clock.ts';

export interface SandboxOptions {
  /** Absolute; holds buckets and datasets. */
  readonly folder: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** As `assay sandbox --fault` takes them: `storage:503:0.05`. */
  readonly faults: readonly string[];
  /** Decides which requests a rate hits. */
  readonly seed: number;
  readonly log: Logger;
}

export interface ServedSandbox {
  readonly url: string;
  /** Requests and jobs of each service that a rule has failed so far. */
  readonly struck: Readonly<Record<Service, number>>;
  close(): Promise<void>;
}

/** @throws PipelineError `project_locked` where another process serves the folder, `usage` for a wrong rule */
export async function serveSandbox(options: SandboxOptions): Promise<ServedSandbox> {
  const { folder, port, log } = options;
  const { faults, struck } = counted(createFaults(parseFaults(options.faults), options.seed));
  await mkdir(folder, { recursive: true });
  const server = await startSandbox({ folder, host: '127.0.0.1', port, faults, clock: systemClock, log });
  const address: SandboxAddress = { url: server.url, pid: process.pid };
  await writeFile(addressFile(folder), JSON.stringify(address));
  return {
    url: server.url,
    struck,
    close: async () => {
      await rm(addressFile(folder), { force: true });
      await server.close();
    },
  };
}

function counted(faults: Faults): Pick<ServedSandbox, 'struck'> & { readonly faults: Faults } {
  const struck = { storage: 0, bigquery: 0 };
  return {
    struck,
    faults: {
      next: (service, operation) => {
        const fault = faults.next(service, operation);
        if (fault !== null) struck[service] += 1;
        return fault;
      },
    },
  };
}
