/**
 * fast-check with a fixed seed: a suite that passed passes again.
 * PROPERTY_SEED=random draws anew, to look for new counterexamples; PROPERTY_SEED=N repeats what a failure printed.
 */
import fc from 'fast-check';

const asked = process.env.PROPERTY_SEED ?? '20250102';
if (asked !== 'random') {
  const seed = Number(asked);
  if (!Number.isInteger(seed)) throw new Error(`PROPERTY_SEED is ${asked}: give an integer, or random.`);
  fc.configureGlobal({ seed });
}

export default fc;
