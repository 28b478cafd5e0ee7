/** The BigQuery adapter under the contract of all warehouses, in a user's own project. */
import { describe } from 'node:test';
import { withBigQueryPlace } from '../cloud/bigquery-place.ts';
import { type WarehouseAdapter, warehouseContract } from '../contract/warehouse-contract.ts';
import { realAccount } from './account.ts';

const account = realAccount(process.env);

if ('skip' in account) describe('warehouse bigquery, for real', { skip: account.skip }, () => {});
else {
  let number = 0;
  const adapter: WarehouseAdapter = {
    name: `bigquery in ${account.projectId}`,
    startOver: /drop the table/,
    with: (work) => {
      number += 1;
      const names = { name: `${account.datasets}w${number}`, prefix: `${account.prefix}warehouse-${number}/` };
      return withBigQueryPlace(account, names, work);
    },
  };
  warehouseContract(adapter);
}
