/** A child process: adds 1 to the object `count` so many times, by compare-and-set; or dies while it holds the key's lock. */
import { once } from 'node:events';
import { PipelineError } from '../../core/errors.ts';
import { withFileLock } from '../../storage/local/file-lock.ts';
import { openLocalStore } from '../../storage/local/store.ts';

const [root = '', task = '', argument = ''] = process.argv.slice(2);

if (task === 'die-in-lock') {
  await withFileLock(argument, async () => {
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {});
  });
}

process.send?.('ready');
await once(process, 'message');
const store = openLocalStore({ root });
let lost = 0;
for (let done = 0; done < Number(argument); ) {
  const object = await store.read('count');
  const next = Buffer.from(String(Number(Buffer.from(object?.body ?? []).toString()) + 1));
  try {
    await store.write('count', next, object === null ? 'absent' : { generation: object.generation });
    done += 1;
  } catch (thrown) {
    if (!(thrown instanceof PipelineError) || thrown.code !== 'precondition_failed') throw thrown;
    lost += 1;
  }
}
process.send?.({ lost });
process.disconnect?.();
