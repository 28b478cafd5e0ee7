/** Rules such as `storage:503:0.05` -> which requests fail, and how; the same ones every time for a seed. */
import { didYouMean } from '../core/did-you-mean.ts';
import { PipelineError } from '../core/errors.ts';
import { isReason } from './bigquery/bigquery-error.ts';
import type { Fault, Faults, Service } from './ports.ts';

export interface FaultRule {
  readonly service: Service;
  /** `objects.insert`, which also stands for `objects.insert.chunk`; null: every operation that the fault can happen to. */
  readonly operation: string | null;
  readonly fault: Fault;
  readonly when: FaultRate;
}

/** A share of the matching requests from 0 to 1, or exactly the n-th one, from 1. */
export type FaultRate = { readonly rate: number } | { readonly nth: number };

const FORM =
  'A fault is <service>[/<operation>]:<what>:<how often>, for example storage:503:0.05, storage/objects.insert:reset:#2 ' +
  'or bigquery:job.backendError:0.1. What: an HTTP status, reset, lost-reply, for storage also cut-upload@<bytes> and ' +
  'wrong-checksum, for bigquery also a reason, or job.<reason> in a finished job. How often: 0 to 1, or #N for the N-th request.';

/** Operations whose body holds an object's bytes. */
const MEDIA_OPERATIONS = new Set(['objects.insert', 'objects.insert.chunk']);

/** @throws PipelineError `usage` naming the rule and what is wrong with it */
export function parseFaults(texts: readonly string[]): readonly FaultRule[] {
  return texts.map(parseFault);
}

function parseFault(text: string): FaultRule {
  const [where, what, often, ...more] = text.split(':');
  if (where === undefined || what === undefined || often === undefined || more.length > 0)
    throw wrong(text, 'it does not have three parts with a colon between them');
  const [service, operation, ...deeper] = where.split('/');
  if (service !== 'storage' && service !== 'bigquery')
    throw wrong(text, `the service "${service}" is neither storage nor bigquery`);
  if (deeper.length > 0 || operation === '') throw wrong(text, `"${where}" is not a service and an operation`);
  if (operation !== undefined && !/^[a-zA-Z]+(\.[a-zA-Z]+)*$/.test(operation))
    throw wrong(text, `"${operation}" is not an operation, such as objects.insert or jobs.query`);
  return { service, operation: operation ?? null, fault: parseWhat(text, service, what), when: parseRate(text, often) };
}

function parseWhat(text: string, service: Service, what: string): Fault {
  if (/^\d+$/.test(what)) {
    const status = Number(what);
    if (status < 400 || status > 599) throw wrong(text, `${what} is not the status of an error, 400 to 599`);
    return { kind: 'status', status };
  }
  if (what === 'reset') return { kind: 'reset' };
  if (what === 'lost-reply') return { kind: 'lost_reply' };
  if (service === 'bigquery') return parseReason(text, what);
  if (what === 'wrong-checksum') return { kind: 'wrong_checksum' };
  const cut = /^cut-upload@(\d+)$/.exec(what);
  if (cut) return { kind: 'cut_upload', afterBytes: Number(cut[1]) };
  if (what === 'cut-upload') throw wrong(text, 'cut-upload needs a number of bytes, for example cut-upload@300000');
  throw wrong(text, `"${what}" is no fault of storage`, didYouMean(what, ['reset', 'lost-reply', 'wrong-checksum']));
}

function parseReason(text: string, what: string): Fault {
  const inJob = what.startsWith('job.');
  const reason = inJob ? what.slice('job.'.length) : what;
  if (!isReason(reason)) throw wrong(text, `"${what}" is neither a fault nor a reason of bigquery's error table`);
  return { kind: 'reason', reason, inJob };
}

function parseRate(text: string, often: string): FaultRate {
  if (/^#[1-9]\d*$/.test(often)) return { nth: Number(often.slice(1)) };
  const rate = /^\d*\.?\d+$/.test(often) ? Number(often) : Number.NaN;
  if (!(rate >= 0 && rate <= 1)) throw wrong(text, `"${often}" is neither a share from 0 to 1 nor #N, N from 1`);
  return { rate };
}

function wrong(text: string, why: string, meant: string | null = null): PipelineError {
  const hint = meant === null ? '' : ` Did you mean ${meant}?`;
  return new PipelineError('usage', `Fault "${text}": ${why}.${hint} ${FORM}`, { context: { fault: text } });
}

/**
 * Counts requests by rule. Each rule sees every request that it can happen to, also one that an earlier rule has failed, so
 * that adding a rule does not move the others; the first rule that strikes decides.
 */
export function createFaults(rules: readonly FaultRule[], seed: number): Faults {
  const armed = rules.map((rule, index) => ({ rule, random: randomFrom(seed + index * 0x9e3779b9), seen: 0 }));
  return {
    next: (service, operation) => {
      let struck: Fault | null = null;
      for (const each of armed) {
        if (!concerns(each.rule, service, operation)) continue;
        each.seen += 1;
        const share = each.random();
        const { when } = each.rule;
        if ('nth' in when ? each.seen === when.nth : share < when.rate) struck ??= each.rule.fault;
      }
      return struck;
    },
  };
}

function concerns(rule: FaultRule, service: Service, operation: string): boolean {
  if (rule.service !== service) return false;
  const { fault } = rule;
  const isJobEnd = operation.startsWith('job.');
  if (isJobEnd !== (fault.kind === 'reason' && fault.inJob)) return false;
  const isAboutMedia = fault.kind === 'cut_upload' || fault.kind === 'wrong_checksum';
  if (isAboutMedia && !MEDIA_OPERATIONS.has(operation)) return false;
  return rule.operation === null || operation === rule.operation || operation.startsWith(`${rule.operation}.`);
}

/** Mulberry32: numbers from 0 to below 1, all of them fixed by the seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
