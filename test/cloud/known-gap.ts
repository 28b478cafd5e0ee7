/** What a server is known not to do -> a test that is skipped aloud while that is so, and fails once it is not. */
import { strict as assert } from 'node:assert';
import { inspect } from 'node:util';

export interface KnownGap {
  /** Server, version, and what it does instead. */
  readonly reason: string;
  /** What the failure says, so that no other one is taken for it. */
  readonly shows: RegExp;
}

interface Skippable {
  skip(message: string): void;
}

/** Runs what should hold. @throws where it holds, or fails in another way than is known */
export async function expectGap(context: Skippable, gap: KnownGap, work: () => Promise<void>): Promise<void> {
  const failure = await work().then(() => null, failureText);
  assert.ok(failure !== null, `this gap is closed, remove its entry: ${gap.reason}`);
  assert.match(failure, gap.shows, `the known gap (${gap.reason}) shows itself in another way`);
  context.skip(gap.reason);
}

/** With causes, reasons and, of an assertion, what was found. */
export function failureText(thrown: unknown): string {
  return inspect(thrown, { depth: 6, breakLength: Number.POSITIVE_INFINITY });
}
