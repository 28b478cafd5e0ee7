/** One warm forked process: attempts go in one after another, messages and output lines come out. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { JsonObject } from '../../core/types.ts';
import type { ChildMessage, ParentMessage } from './child-protocol.ts';

export interface ChildOptions {
  /** Compiled module that calls `serveAttempts`. */
  readonly modulePath: string;
  readonly settings: JsonObject;
  /** The child's whole environment; it may raise UV_THREADPOOL_SIZE, which is 16 otherwise. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly execArgv?: readonly string[];
}

export interface ChildEvents {
  onMessage(message: ChildMessage): void;
  onOutput(stream: 'stdout' | 'stderr', line: string): void;
  /** Once; `how` in words, with the last lines of its standard error. */
  onExit(how: string, lastWords: string): void;
}

/** DuckDB and Polars take threads of the pool that files and DNS need too; four are not enough. */
const THREADS = { UV_THREADPOOL_SIZE: '16' };
const LAST_WORDS = 20;
/** Output may lag behind the exit; something that inherited the pipe may even hold it open. */
const OUTPUT_GRACE_MS = 200;
const MAX_LINE = 32 * 1024;

export class TaskChild {
  readonly pid: number | null;
  /** False until the child has said that it is ready. */
  isReady = false;
  readonly #process: ChildProcess;
  readonly #events: ChildEvents;
  readonly #specs = new Set<string>();
  readonly #lastWords: string[] = [];
  #isGone = false;

  constructor(options: ChildOptions, events: ChildEvents) {
    this.#events = events;
    this.#process = fork(options.modulePath, [], {
      env: { ...THREADS, ...options.env },
      execArgv: [...(options.execArgv ?? [])],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    this.pid = this.#process.pid ?? null;
    this.#process.on('message', (message) => {
      const child = message as ChildMessage;
      if (child.type === 'ready') this.isReady = true;
      events.onMessage(child);
    });
    this.#process.on('disconnect', () => this.kill());
    this.#process.on('error', (error) => {
      // Without an id it never started, and no exit will come.
      if (this.pid === null) this.#gone(`could not be started (${error.message})`);
    });
    this.#process.on('exit', (code, signal) => this.#onExit(code, signal));
    this.#readLines('stdout', this.#process.stdout);
    this.#readLines('stderr', this.#process.stderr);
    this.send({ type: 'init', settings: options.settings });
  }

  hasSpec(fingerprint: string): boolean {
    return this.#specs.has(fingerprint);
  }

  send(message: ParentMessage): void {
    if (message.type === 'spec') this.#specs.add(message.fingerprint);
    // A child that died meanwhile reports by its exit, not here.
    if (this.#process.connected) this.#process.send(message, undefined, undefined, () => {});
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    const how = signal === null ? `ended by itself with exit code ${code}` : `was ended by ${signal}`;
    const timer = setTimeout(() => this.#gone(how), OUTPUT_GRACE_MS);
    this.#process.once('close', () => {
      clearTimeout(timer);
      this.#gone(how);
    });
  }

  #gone(how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    this.#events.onExit(how, this.#lastWords.join('\n'));
  }

  #readLines(name: 'stdout' | 'stderr', stream: Readable | null): void {
    let rest = '';
    const line = (text: string): void => {
      if (text === '') return;
      if (name === 'stderr' && this.#lastWords.push(text) > LAST_WORDS) this.#lastWords.shift();
      this.#events.onOutput(name, text);
    };
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) lines.push(rest.slice(0, MAX_LINE));
      if (rest.length > MAX_LINE) rest = '';
      for (const each of lines) line(each.slice(0, MAX_LINE));
    });
    stream?.on('end', () => line(rest));
    stream?.on('error', () => {});
  }
}
