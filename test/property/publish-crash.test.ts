/** The laws of publishing and collecting on a store in memory, where requests can be reordered by the thousand. */
import { collectionLaws } from '../contract/collection-laws.ts';
import { publishLaws } from '../contract/publish-laws.ts';
import { openMemoryStore } from '../fixtures-support/memory-store.ts';

publishLaws('memory', (work) => work(openMemoryStore('')), { orders: 50, publishes: 1_000 });
collectionLaws('memory', (work) => work(openMemoryStore('')), { orders: 50 });
