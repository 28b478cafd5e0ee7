/** Faults of a pipeline's spec, each with file, line and what to write instead. */
import { createRoute, z } from '@hono/zod-openapi';
import { PipelineError } from '../../core/errors.ts';
import type { ApiDeps } from '../ports.ts';
import { type Api, assayErrors, json } from './api.ts';

const issue = z
  .object({
    severity: z.enum(['error', 'warning', 'info']),
    code: z.string(),
    message: z.string(),
    expected: z.string(),
    hint: z.string().nullable(),
    file: z.string(),
    line: z.number().int(),
    column: z.number().int(),
    line_text: z.string(),
  })
  .openapi('SpecIssue');

const listIssues = createRoute({
  method: 'get',
  path: '/api/assay/v1/specs/{pipeline}/issues',
  tags: ['Specs'],
  summary: 'What is wrong with a spec, as last read',
  request: { params: z.object({ pipeline: z.string() }) },
  responses: {
    200: json(z.object({ issues: z.array(issue), total_entries: z.number().int() }), 'All faults; none is good'),
    ...assayErrors,
  },
});

export function registerSpecRoutes(api: Api, { control, specs }: ApiDeps): void {
  api.openapi(listIssues, async (context) => {
    const { pipeline } = context.req.valid('param');
    const found = (await specs.issues()).filter((candidate) => candidate.pipeline === pipeline);
    if (found.length === 0 && !(await control.listDags()).some(({ dag }) => dag.pipeline === pipeline)) {
      throw new PipelineError('project_not_found', `There is no pipeline ${pipeline} under specs/.`);
    }
    const issues = found.map(({ issue: { location, lineText, ...rest } }) => ({
      ...rest,
      file: location.file,
      line: location.line,
      column: location.column,
      line_text: lineText,
    }));
    return context.json({ issues, total_entries: issues.length }, 200);
  });
}
