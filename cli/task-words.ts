/** Task instances -> glyphs, words and one-line facts, the same in the live tree, in status and in plain logs. */
import type { TaskInstance, TaskOutput, TaskState } from '../core/types.ts';

const GLYPHS: Readonly<Record<TaskState, string>> = {
  none: '·',
  scheduled: '·',
  queued: '…',
  running: '▶',
  success: '✔',
  failed: '✘',
  up_for_retry: '↻',
  upstream_failed: '⊘',
  skipped: '↷',
  deferred: '⧖',
  removed: '-',
};

export const glyphOf = (state: TaskState): string => GLYPHS[state];

export const ENDED: ReadonlySet<TaskState> = new Set(['success', 'failed', 'upstream_failed', 'skipped', 'removed']);

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

export function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** What a finished task did, in a few words; empty where there is nothing to say. */
export function factOf(instance: TaskInstance): string {
  if (instance.error && instance.state !== 'success') return firstLine(instance.error.message);
  return instance.output ? outputFact(instance.output) : '';
}

export function outputFact(output: TaskOutput): string {
  switch (output.kind) {
    case 'nothing':
      return '';
    case 'pinned': {
      const partitions = Object.values(output.pinned.bronze).reduce((sum, list) => sum + list.length, 0);
      return output.pinned.layer === 'bronze' ? `${number(partitions)} bronze partitions` : '';
    }
    case 'branch':
      return `→ ${output.follow.join(', ')} (${output.because})`;
    case 'short_circuit':
      return output.because;
    case 'staged': {
      const { account, unchanged, partitions } = output.staged;
      if (unchanged) return 'unchanged';
      const held = account.quarantined > 0 ? `, ${number(account.quarantined)} quarantined` : '';
      const duplicates = account.duplicates > 0 ? `, ${number(account.duplicates)} duplicates` : '';
      return `${number(account.output)} rows${held}${duplicates} · ${number(partitions.length)} partitions`;
    }
    case 'report':
      return `${output.report.decision.verdict} · ${output.report.markdownPath}`;
    case 'published':
      return output.publication.moved
        ? `version ${output.publication.sequence}`
        : `version ${output.publication.sequence} stays, nothing changed`;
    case 'loaded': {
      const changed = output.receipts.filter((receipt) => receipt.changed);
      const rows = changed.reduce((sum, receipt) => sum + receipt.rows, 0);
      return changed.length === 0 ? 'up to date' : `${number(rows)} rows · ${number(changed.length)} partitions`;
    }
    case 'triggered':
      return `${output.dagId} · ${output.runId}`;
    default:
      return output satisfies never;
  }
}

export function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
