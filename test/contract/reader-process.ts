/** A lake's folder and the version to wait for -> a process that reads all the time and tells which versions it saw. */
import { openLocalStore } from '../../storage/local/store.ts';
import { readUnmixed } from './published-lake.ts';

const [root = '', last = '0'] = process.argv.slice(2);
const store = openLocalStore({ root });
process.send?.('ready');
const seen: number[] = [];
while (seen.at(-1) !== Number(last)) seen.push(await readUnmixed(store));
process.send?.(seen);
process.disconnect?.();
