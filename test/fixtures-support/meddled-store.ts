/** A store -> the same store with something done to its requests: failed, repeated, delayed, counted, dated. */
import { PipelineError } from '../../core/errors.ts';
import type { ObjectInfo, ObjectStore } from '../../core/ports.ts';

export const FAULTS = ['dies before', 'dies after', 'is refused', 'loses the reply', 'is sent twice'] as const;
export type Fault = (typeof FAULTS)[number];

export class Died extends Error {}

/** Sees every request that reaches the store: may delay it, damage it, or fail it. */
export type Meddler = <T>(request: () => Promise<T>) => Promise<T>;

/** A listing and a stream count as one request each, and are whole when they are handed on. */
export function meddledStore(store: ObjectStore, meddle: Meddler): ObjectStore {
  return {
    displayName: store.displayName,
    uri: (key) => store.uri(key),
    read: (key) => meddle(() => store.read(key)),
    stat: (key) => meddle(() => store.stat(key)),
    stream: async function* (key, range, content) {
      yield* await meddle(() => collect(store.stream(key, range, content)));
    },
    copy: (from, to, precondition) => meddle(() => store.copy(from, to, precondition)),
    write: (key, body, precondition) => meddle(() => store.write(key, body, precondition)),
    writeFile: (key, path, precondition) => meddle(() => store.writeFile(key, path, precondition)),
    delete: (key, precondition) => meddle(() => store.delete(key, precondition)),
    localPath: (key, content) => meddle(() => store.localPath(key, content)),
    list: async function* (prefix) {
      yield* await meddle(() => collect(store.list(prefix)));
    },
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/**
 * One fault at the n-th request, from 0. A dead process sends nothing more; a refusal and a lost reply look like an outage,
 * but what lost its reply has happened.
 */
export function faultAt(index: number, fault: Fault): { readonly meddle: Meddler; readonly sent: () => number } {
  let count = 0;
  let isDead = false;
  const meddle: Meddler = async (request) => {
    if (isDead) throw new Died();
    const isIt = count === index;
    count += 1;
    if (!isIt) return request();
    switch (fault) {
      case 'dies before':
        isDead = true;
        throw new Died();
      case 'dies after':
        isDead = true;
        await request();
        throw new Died();
      case 'is refused':
        throw new PipelineError('storage_unavailable', 'try later');
      case 'loses the reply':
        await request();
        throw new PipelineError('storage_unavailable', 'no reply');
      case 'is sent twice':
        await request();
        return request();
    }
  };
  return { meddle, sent: () => count };
}

/** Repeats as the scheduler does where an error may pass by itself; a dead process is followed by a new one. */
export async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (thrown) {
      const mayPass = thrown instanceof Died || (thrown instanceof PipelineError && thrown.retryable);
      if (!mayPass || tries === 5) throw thrown;
    }
  }
}

/** A store whose objects are as old as this clock says, whatever its own is. */
export function datedStore(store: ObjectStore, clock: { now(): number }): ObjectStore {
  const written = new Map<string, number>();
  const dated = (info: ObjectInfo): ObjectInfo => ({ ...info, writtenAtMs: written.get(info.key) ?? 0 });
  const noted = async (key: string, write: Promise<ObjectInfo>): Promise<ObjectInfo> => {
    const info = await write;
    written.set(key, clock.now());
    return dated(info);
  };
  return {
    ...store,
    stat: async (key) => {
      const info = await store.stat(key);
      return info && dated(info);
    },
    write: (key, body, precondition) => noted(key, store.write(key, body, precondition)),
    writeFile: (key, path, precondition) => noted(key, store.writeFile(key, path, precondition)),
    copy: (from, to, precondition) => noted(to, store.copy(from, to, precondition)),
    list: async function* (prefix) {
      for await (const info of store.list(prefix)) yield dated(info);
    },
  };
}

/** Does something through the meddler that it is given. */
export type Actor<T> = (meddle: Meddler) => Promise<T>;

/**
 * Two at once, in one exact order: the first goes up to its i-th request, then the second up to its j-th, then the first to
 * its end, then the second. Over all i and j this finds whatever lies between a look and the act that trusts it.
 */
export async function interleave<A, B>(
  first: Actor<A>,
  second: Actor<B>,
  i: number,
  j: number,
): Promise<{ readonly outcomes: [PromiseSettledResult<A>, PromiseSettledResult<B>]; readonly sent: [number, number] }> {
  const isFirstStopped = signal();
  const isFirstDone = signal();
  const isSecondStopped = signal();
  const stopping = (at: number, stopped: Signal, goOn: Signal) => {
    let count = 0;
    const meddle: Meddler = async (request) => {
      const isIt = count === at;
      count += 1;
      if (isIt) {
        stopped.give();
        await goOn.given;
      }
      return request();
    };
    return { meddle, sent: () => count };
  };
  const one = stopping(i, isFirstStopped, isSecondStopped);
  const two = stopping(j, isSecondStopped, isFirstDone);
  const outcomes = await Promise.allSettled([
    first(one.meddle).finally(() => {
      isFirstStopped.give();
      isFirstDone.give();
    }),
    isFirstStopped.given.then(() => second(two.meddle)).finally(() => isSecondStopped.give()),
  ]);
  return { outcomes, sent: [one.sent(), two.sent()] };
}

interface Signal {
  readonly given: Promise<void>;
  give(): void;
}

function signal(): Signal {
  let give = (): void => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}
