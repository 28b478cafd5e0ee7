/** Pinned bronze partitions and what silver was built of -> those to read now and those that are done. Pure. */
import type { BronzePartition, InputRecord, PublishedTable } from '../../core/types.ts';
import { inputFingerprint } from './logic-fingerprint.ts';

export interface Work {
  readonly todo: readonly BronzePartition[];
  /** With what was recorded when they were built. */
  readonly done: readonly { readonly partition: string; readonly record: InputRecord }[];
}

/**
 * A partition is done where content and logic are those it was built with. One that vanished from bronze keeps what silver
 * has of it: its absence is for bronze validation to name, not a reason to drop rows.
 */
export function selectWork(
  pinned: readonly BronzePartition[],
  published: PublishedTable | undefined,
  logic: string,
): Work {
  const todo: BronzePartition[] = [];
  const done: { partition: string; record: InputRecord }[] = [];
  for (const partition of pinned) {
    const record = published?.inputs[partition.partition];
    const isSame = record?.fingerprint === inputFingerprint(partition.fingerprint, logic);
    const isGone = partition.files.length === 0 && partition.manifest.state === 'missing';
    if (record && (isSame || isGone)) done.push({ partition: partition.partition, record });
    else todo.push(partition);
  }
  return { todo, done };
}
