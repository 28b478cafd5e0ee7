/** DuckDB's refusal to convert a value -> an error that says whose value it was, and what to do. */
import { PipelineError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/types.ts';

/** @throws PipelineError `transform_failed` in the given words; anything that is no such refusal as it came */
export async function explainConversions<T>(
  words: { readonly explain: (refusal: string) => string; readonly context: JsonObject },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (!/Conversion Error/.test(message)) throw thrown;
    const [refusal = message] = message.split('\n');
    throw new PipelineError('transform_failed', words.explain(refusal), { context: words.context, cause: thrown });
  }
}

/** For values of an input: only columns that base silver did not cast can hold such a value. */
export function explainInput<T>(transform: string, input: string, work: () => Promise<T>): Promise<T> {
  return explainConversions(
    {
      explain: (refusal) =>
        `Transform ${transform} cannot read ${input}: ${refusal}. ` +
        `Declare the columns of ${input} in its spec, so that base silver casts them and sets aside what does not cast.`,
      context: { transform, input },
    },
    work,
  );
}
