/** A call of a portable function -> DuckDB text with GoogleSQL's result, NULL for NULL, error for error. */
import type { PortableFunction } from '../../core/google-sql/functions.ts';
import { AGGREGATES } from './functions/aggregates.ts';
import { ARRAYS } from './functions/arrays.ts';
import type { Render } from './functions/call.ts';
import { CHOICES } from './functions/choices.ts';
import { DATES } from './functions/dates.ts';
import { NUMBERS } from './functions/numbers.ts';
import { TEXTS } from './functions/text.ts';
import { WINDOWS } from './functions/windows.ts';

export const RENDER: { readonly [name in PortableFunction]: Render } = {
  ...CHOICES,
  ...NUMBERS,
  ...TEXTS,
  ...DATES,
  ...ARRAYS,
  ...AGGREGATES,
  ...WINDOWS,
};
