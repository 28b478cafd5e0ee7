/** A folder from the parent -> the sandbox's server on it, until the parent goes away. */
import { asPipelineError } from '../core/errors.ts';
import { createLogger } from './create-logger.ts';
import type { SandboxJob, SandboxReply } from './sandbox-connection.ts';
import { serveSandbox } from './serve-sandbox.ts';

process.once('message', (message) => {
  void start(message as SandboxJob).then((reply) => process.send?.(reply));
});
// Ctrl-C reaches the whole process group; what the parent still writes must find its server.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

async function start(job: SandboxJob): Promise<SandboxReply> {
  try {
    const sandbox = await serveSandbox({ ...job, faults: [], seed: 1, log: createLogger('warn') });
    process.once('disconnect', () => void sandbox.close().then(() => process.exit(0)));
    return { ok: true, url: sandbox.url };
  } catch (thrown) {
    const error = asPipelineError(thrown);
    return { ok: false, code: error.code, message: error.message };
  }
}
