/** The public API: what a user's TypeScript may import from `assay`. */
export { ERROR_CODES, type ErrorCode, PipelineError } from './core/errors.ts';
export type * from './core/spec.ts';
export type * from './core/types.ts';
export {
  type DayRule,
  type DaySource,
  type DayWindow,
  defineTransform,
  type InputDefinition,
  type Params,
  type TransformContext,
  type TransformDefinition,
} from './transforms/enriched/define-transform.ts';
