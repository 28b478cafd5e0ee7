/** What a task did or why it failed -> one line with links to the report, publication or run that it made. */
import { html } from 'hono/html';
import type { Decision, TaskInstance, TaskOutput } from '../../core/types.ts';
import type { Html } from './layout.ts';
import { instant, number, plural, runHref, runReportHref, verdictBadge } from './words.ts';

export function taskFacts(instance: TaskInstance): Html | string {
  const error =
    instance.error && instance.state !== 'success'
      ? html`<span class="error"><strong>${instance.error.code}</strong>: ${instance.error.message}</span>`
      : '';
  const retry =
    instance.state === 'up_for_retry' && instance.nextRetryAtMs !== null
      ? html` <span class="muted">tries again at ${instant(instance.nextRetryAtMs)}</span>`
      : '';
  const made = instance.output ? outputFacts(instance.output, instance) : '';
  return html`${made}${made && error ? html`<br>` : ''}${error}${retry}`;
}

function outputFacts(output: TaskOutput, instance: TaskInstance): Html | string {
  switch (output.kind) {
    case 'nothing':
      return '';
    case 'pinned': {
      const partitions = Object.values(output.pinned.bronze).reduce((sum, list) => sum + list.length, 0);
      return output.pinned.layer === 'bronze' ? `pinned ${plural(partitions, 'bronze partition')}` : '';
    }
    case 'branch':
      return `follows ${output.follow.join(', ')}: ${output.because}`;
    case 'short_circuit':
      return output.proceed ? output.because : `stops here: ${output.because}`;
    case 'staged': {
      const { account, unchanged, partitions, heldBackBy } = output.staged;
      if (heldBackBy !== undefined) return `stays as it is: ${heldBackBy} is held back`;
      if (unchanged) return 'unchanged';
      const held = account.quarantined > 0 ? `, ${number(account.quarantined)} quarantined` : '';
      const duplicates = account.duplicates > 0 ? `, ${plural(account.duplicates, 'duplicate')}` : '';
      return `${plural(account.output, 'row')} in ${plural(partitions.length, 'partition')}${held}${duplicates}`;
    }
    case 'report': {
      const { name, decision } = output.report;
      return html`${verdictBadge(decision.verdict)} <a href="${runReportHref(instance, name)}">${name}</a>${decision.mayPublish ? acceptedWords(decision) : ', blocks publishing'}`;
    }
    case 'published': {
      const { layer, sequence, moved, held = [] } = output.publication;
      const rest = held.length > 0 ? `; held back: ${held.join(', ')}` : '';
      return `${moved ? `readers now see ${layer} ${sequence}` : `${layer} ${sequence} stays: nothing changed`}${rest}`;
    }
    case 'loaded': {
      const changed = output.receipts.filter((receipt) => receipt.changed);
      const rows = changed.reduce((sum, receipt) => sum + receipt.rows, 0);
      return changed.length === 0
        ? 'warehouse was up to date'
        : `loaded ${plural(rows, 'row')} in ${plural(changed.length, 'partition')}`;
    }
    case 'triggered':
      return html`triggered <a href="${runHref(output)}">${output.dagId}</a>`;
    default:
      return output satisfies never;
  }
}

const acceptedWords = ({ accepted }: Decision): string =>
  accepted ? `, let pass by ${accepted.by}: ${accepted.because}` : '';
