/** Task instances -> numbers, durations and one-line facts, the same in the live tree, in status and in plain logs. */
import { counted } from '../core/counted.ts';
import type { TaskInstance, TaskOutput, TaskState } from '../core/types.ts';

export const ENDED: ReadonlySet<TaskState> = new Set(['success', 'failed', 'upstream_failed', 'skipped', 'removed']);

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

export function seconds(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `512 B`, `1.5 GiB`: units as BigQuery bills them. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** US dollars; small sums with the digits that tell them from nothing. */
export function dollars(usd: number): string {
  if (usd === 0) return '$0';
  if (usd < 0.0001) return '< $0.0001';
  return `$${usd.toFixed(usd < 1 ? 4 : 2)}`;
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
      return output.pinned.layer === 'bronze' ? counted(partitions, 'bronze partition') : '';
    }
    case 'branch':
      return `→ ${output.follow.join(', ')} (${output.because})`;
    case 'short_circuit':
      return output.because;
    case 'staged': {
      const { account, unchanged, partitions, heldBackBy } = output.staged;
      if (heldBackBy !== undefined) return `stays as it is, because ${heldBackBy} is held back`;
      if (unchanged) return 'unchanged';
      const held = account.quarantined > 0 ? `, ${number(account.quarantined)} quarantined` : '';
      const duplicates = account.duplicates > 0 ? `, ${counted(account.duplicates, 'duplicate')}` : '';
      return `${counted(account.output, 'row')}${held}${duplicates} · ${counted(partitions.length, 'partition')}`;
    }
    case 'report':
      // The copy of its run: the newest report may be another run's by now.
      return `${output.report.decision.verdict} · ${output.report.runMarkdownPath}`;
    case 'published': {
      const { sequence, moved, held = [] } = output.publication;
      const rest = held.length > 0 ? `, without ${held.join(', ')}` : '';
      return `version ${sequence}${moved ? '' : ' stays, nothing changed'}${rest}`;
    }
    case 'loaded': {
      const changed = output.receipts.filter((receipt) => receipt.changed);
      const rows = changed.reduce((sum, receipt) => sum + receipt.rows, 0);
      return changed.length === 0 ? 'up to date' : `${counted(rows, 'row')} · ${counted(changed.length, 'partition')}`;
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
