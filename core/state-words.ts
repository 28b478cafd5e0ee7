/** States and verdicts -> the glyph, the words and the tone in which terminal and pages show them: the one table of it. */
import type { RunState, TaskState, Verdict } from './types.ts';

export type Tone = 'good' | 'bad' | 'busy' | 'warn' | 'quiet';

export interface Look {
  /** One column wide. */
  readonly glyph: string;
  readonly words: string;
  readonly tone: Tone;
}

export const TASK_LOOKS: Readonly<Record<TaskState, Look>> = {
  none: { glyph: '·', words: 'not started', tone: 'quiet' },
  scheduled: { glyph: '◔', words: 'scheduled', tone: 'quiet' },
  queued: { glyph: '…', words: 'queued', tone: 'quiet' },
  running: { glyph: '▶', words: 'running', tone: 'busy' },
  success: { glyph: '✔', words: 'success', tone: 'good' },
  failed: { glyph: '✘', words: 'failed', tone: 'bad' },
  up_for_retry: { glyph: '↻', words: 'waiting to retry', tone: 'warn' },
  upstream_failed: { glyph: '⊘', words: 'upstream failed', tone: 'bad' },
  skipped: { glyph: '↷', words: 'skipped', tone: 'quiet' },
  deferred: { glyph: '⧖', words: 'waiting', tone: 'busy' },
  removed: { glyph: '−', words: 'removed', tone: 'quiet' },
};

export const RUN_LOOKS: Readonly<Record<RunState, Look>> = {
  queued: TASK_LOOKS.queued,
  running: TASK_LOOKS.running,
  success: TASK_LOOKS.success,
  failed: TASK_LOOKS.failed,
};

export const VERDICT_LOOKS: Readonly<Record<Verdict, Look>> = {
  PASS: { glyph: '✔', words: 'PASS', tone: 'good' },
  WARN: { glyph: '!', words: 'WARN', tone: 'warn' },
  FAIL: { glyph: '✘', words: 'FAIL', tone: 'bad' },
};
