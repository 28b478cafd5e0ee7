/** Who holds a layer, and who would -> words for people. */
import { hostname, userInfo } from 'node:os';
import type { Hold } from '../storage/hold-file.ts';

export const holdWords = ({ by, since, reason }: Hold): string =>
  `by ${by} since ${since}${reason === null ? '' : ` (${reason})`}`;

/** `ada@db-7`: for whoever wants to know whom to ask. */
export function whoAmI(): string {
  return `${userInfo().username}@${hostname()}`;
}
