/** `assay logs`: the lines of one attempt. */
import { PipelineError } from '../../core/errors.ts';
import type { LogLine } from '../../scheduler/control.ts';
import type { GlobalFlags } from '../project.ts';
import { requireRun, withReader } from '../read-control.ts';
import { printJson, printLines } from '../terminal.ts';

export async function logs(
  flags: GlobalFlags,
  dagId: string,
  runId: string,
  taskId: string,
  options: { readonly try?: string; readonly json?: boolean },
): Promise<void> {
  await withReader(flags, async (reader) => {
    const run = await requireRun(reader, dagId, runId);
    const instance = await reader.getTaskInstance(dagId, run.runId, taskId);
    const tryNumber = options.try === undefined ? instance.tryNumber : Number(options.try);
    if (!Number.isInteger(tryNumber) || tryNumber < 0)
      throw new PipelineError('usage', `--try takes a number from 1, not "${options.try}".`);
    const lines = await reader.logs(dagId, run.runId, taskId, tryNumber);
    if (options.json) printJson(lines);
    else if (lines.length === 0)
      process.stderr.write(`${taskId} is ${instance.state} and has written no log for try ${tryNumber}.\n`);
    else printLines(lines.map(asText));
  });
}

function asText(line: LogLine): string {
  const { timestamp, level, event, ...fields } = line;
  const more = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [timestamp, level.padEnd(5), event, ...more].join('  ');
}
