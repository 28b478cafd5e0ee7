/** A task of the crash tests -> the empty file that keeps its attempts from ending for as long as it is there. */
import { join } from 'node:path';

/** @param task `child/work` */
export const heldFile = (folder: string, task: string): string => join(folder, `held-${task.replace('/', '-')}`);
