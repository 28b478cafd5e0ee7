/** What changed since an earlier report -> the section of it. Pure. */
import type { ReportChange } from '../../core/types.ts';
import { count, daySpan, someOf } from '../figures.ts';
import { codeSpan, markdownSentence, markdownText } from './escape-text.ts';

type Compared = Extract<ReportChange, { readonly kind: 'compared' }>;

/** Names shown of one kind of change. */
const MOST_NAMES = 8;

/** Ends with an empty line. */
export function renderSince(since: ReportChange | undefined): string[] {
  if (since === undefined) return [];
  if (since.kind === 'nothing_before') {
    return ['## Since the report before', `Nothing to compare with: ${markdownSentence(since.because)}`, ''];
  }
  return [
    `## Since ${daySpan(since.interval.from, since.interval.to)} (${markdownText(since.outcome, Number.POSITIVE_INFINITY)})`,
    figures(since),
    ...namesOf(since),
    ...changedSettings(since),
    '',
  ];
}

function figures(since: Compared): string {
  return [
    `New failures ${count(since.newFailures.length)}`,
    `fixed ${count(since.fixed.length)}`,
    `still failing ${count(since.stillFailing.length)}`,
    `new warnings ${count(since.newWarnings.length)}`,
    ...(since.silent.length === 0 ? [] : [`not evaluated any more ${count(since.silent.length)}`]),
    ...(since.dropped.length === 0 ? [] : [`failed and not asked any more ${count(since.dropped.length)}`]),
    `schema drift ${since.schemaDrift.length === 0 ? 'none' : count(since.schemaDrift.length)}`,
  ].join(' · ');
}

function namesOf(since: Compared): string[] {
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ['New failures', since.newFailures.map(codeSpan)],
    ['Fixed', since.fixed.map(codeSpan)],
    [
      'Still failing',
      since.stillFailing.map(
        ({ check, observed, before }) =>
          `${codeSpan(check)} ${markdownSentence(observed)}${before === observed ? ', as before' : ` (was ${markdownSentence(before)})`}`,
      ),
    ],
    ['New warnings', since.newWarnings.map(codeSpan)],
    ['Not evaluated any more', since.silent.map(codeSpan)],
    ['Failed and not asked any more', since.dropped.map(codeSpan)],
    [
      'Schema drift',
      since.schemaDrift.map(({ check, observed }) => `${codeSpan(check)} ${markdownSentence(observed)}`),
    ],
  ];
  const told = lines.filter(([, names]) => names.length > 0);
  return told.length === 0 ? [] : ['', ...told.map(([kind, names]) => `- ${kind}: ${someOf(names, MOST_NAMES)}`)];
}

function changedSettings({ newFailures, settings }: Compared): string[] {
  if (settings.length === 0) return [];
  const changes = settings.map(
    ({ name, from, to }) => `${codeSpan(name)} ${markdownSentence(from)} → ${markdownSentence(to)}`,
  );
  // Whether the one made the other cannot be seen here; that it may have is what a reviewer must know.
  const doubt =
    newFailures.length === 0 ? '' : ' **A failure may be new because of that, and not because of the data.**';
  return ['', `Changed settings: ${someOf(changes, MOST_NAMES)}.${doubt}`];
}
