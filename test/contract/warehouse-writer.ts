/** A program that holds a warehouse file and loads two versions of one partition in turn until it is killed. */
import { openDuckDbWarehouse } from '../../serving/duckdb/warehouse.ts';
import { PATHS_AS_KEYS, type WrittenPartition } from './warehouse-files.ts';

const [path = '', versions = '[]', mode = ''] = process.argv.slice(2);
const warehouse = await openDuckDbWarehouse({ path, lake: PATHS_AS_KEYS });
console.log('open');
const written = JSON.parse(versions) as readonly WrittenPartition[];
if (mode === 'hold') setInterval(() => undefined, 1_000);
for (let turn = 0; mode === 'write'; turn += 1) {
  const version = written[turn % written.length];
  if (!version) break;
  await warehouse.loadPartitions(version.def, [version.partition], []);
  console.log('loaded');
}
