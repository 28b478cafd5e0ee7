/** Conditions of a request, an object -> go on, or 412, 304 or 404. */
import { ApiError, invalid } from './api-error.ts';
import type { ObjectRecord } from './object-record.ts';

export interface Preconditions {
  readonly generationMatch: number | null;
  readonly generationNotMatch: number | null;
  readonly metagenerationMatch: number | null;
  readonly metagenerationNotMatch: number | null;
}

export const UNCONDITIONAL: Preconditions = {
  generationMatch: null,
  generationNotMatch: null,
  metagenerationMatch: null,
  metagenerationNotMatch: null,
};

/** Names of the parameters: `ifGenerationMatch`, or `ifSourceGenerationMatch` for the source of a copy. */
export const preconditionNames = (of: 'if' | 'ifSource'): readonly string[] =>
  ['GenerationMatch', 'GenerationNotMatch', 'MetagenerationMatch', 'MetagenerationNotMatch'].map((end) => of + end);

export function parsePreconditions(query: URLSearchParams, of: 'if' | 'ifSource' = 'if'): Preconditions {
  return {
    generationMatch: numberOf(query, `${of}GenerationMatch`),
    generationNotMatch: numberOf(query, `${of}GenerationNotMatch`),
    metagenerationMatch: numberOf(query, `${of}MetagenerationMatch`),
    metagenerationNotMatch: numberOf(query, `${of}MetagenerationNotMatch`),
  };
}

/** A parameter that is a whole number; null where it is not given. */
export function numberOf(query: URLSearchParams, name: string): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (!/^\d{1,19}$/.test(text)) throw invalid(`Invalid value for ${name}: ${text}. It must be a whole number.`, name);
  return Number(text);
}

/**
 * Generation 0 stands for "no live object". A match that fails is 412, a not-match that fails is 304. Without a live
 * object every condition but `ifGenerationMatch=0` fails.
 *
 * @source Cloud Storage, "Request preconditions"; JSON API, "Objects: insert", parameters (read 2026-11-21)
 */
export function checkPreconditions(object: ObjectRecord | undefined, conditions: Preconditions): void {
  const { generationMatch, generationNotMatch, metagenerationMatch, metagenerationNotMatch } = conditions;
  const generation = object?.generation ?? 0;
  if (generationMatch !== null && generationMatch !== generation) throw conditionNotMet('ifGenerationMatch');
  if (metagenerationMatch !== null && metagenerationMatch !== object?.metageneration)
    throw conditionNotMet('ifMetagenerationMatch');
  if (generationNotMatch !== null && (!object || generationNotMatch === generation))
    throw notModified('ifGenerationNotMatch');
  if (metagenerationNotMatch !== null && (!object || metagenerationNotMatch === object.metageneration))
    throw notModified('ifMetagenerationNotMatch');
}

const conditionNotMet = (name: string): ApiError =>
  new ApiError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.', name);

const notModified = (name: string): ApiError => new ApiError(304, 'notModified', 'Not Modified', name);
