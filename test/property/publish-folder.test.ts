/** The laws of publishing on a folder: the same as in memory, with fewer orders, because each request is synced to the disk. */
import { openLocalStore } from '../../storage/local/store.ts';
import { publishLaws } from '../contract/publish-laws.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

publishLaws('a folder', (work) => withTempFolder((root) => work(openLocalStore({ root }))), {
  orders: 5,
  publishes: 60,
  isSlow: true,
});
