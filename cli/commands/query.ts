/** `assay query`: a GoogleSQL SELECT over published tables. */
import { PipelineError } from '../../core/errors.ts';
import { type GlobalFlags, openProject, requirePipeline } from '../project.ts';
import { runQuery } from '../run-query.ts';
import { printJson, printLines, table } from '../terminal.ts';

interface QueryOptions {
  readonly pipeline?: string;
  readonly limit: string;
  readonly format: 'table' | 'csv' | 'json';
  readonly json?: boolean;
}

export async function query(flags: GlobalFlags, sql: string, options: QueryOptions): Promise<void> {
  const project = await openProject(flags);
  const spec = requirePipeline(project, options.pipeline);
  const maxRows = Number(options.limit);
  if (!Number.isInteger(maxRows) || maxRows < 1)
    throw new PipelineError('usage', `--limit takes a whole number from 1, not "${options.limit}".`);
  const answer = await runQuery(project.settings, spec, sql, { maxRows, signal: new AbortController().signal });
  const names = answer.columns.map((column) => column.name);
  const text = (value: unknown): string =>
    value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (options.json || options.format === 'json') {
    printJson({
      ...answer,
      rows: answer.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at] ?? null]))),
    });
  } else if (options.format === 'csv') {
    const cell = (value: string): string => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    printLines([names, ...answer.rows.map((row) => row.map(text))].map((row) => row.map(cell).join(',')));
  } else
    printLines(
      table(
        names,
        answer.rows.map((row) => row.map(text)),
      ),
    );
  if (answer.truncated) process.stderr.write(`Only the first ${maxRows} rows are shown. Ask for more with --limit.\n`);
}
