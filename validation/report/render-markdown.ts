/** Report -> the Markdown that a reviewer reads: the decision, what broke, what to look at, where every row went. Pure. */
import { addAccounts } from '../../core/row-account.ts';
import type { CheckResult, Report, TableAccount } from '../../core/types.ts';
import { count, counted, daySpan, limitPercent, percent } from '../figures.ts';
import { ALL_TABLES, compareText, inReportOrder, isUndecided } from '../measured-result.ts';
import { settingText } from './compare-reports.ts';
import { codeSpan, markdownSentence, markdownText } from './escape-text.ts';
import { tableRow } from './markdown-table.ts';
import { outcomeWords } from './outcome-words.ts';
import { renderDecide } from './render-decide.ts';
import { checkName, failingRows, isConsequence, renderFailures, type Section } from './render-failures.ts';
import { renderSince } from './render-since.ts';

/** Lines of checks that did not fail and yet are worth a look. */
const MOST_LOOKS = 100;

/** Ends with one line break. Needs `results.json` of the same name and `provenance.json` beside it, for its links. */
export function renderMarkdown(report: Report): string {
  const results = inReportOrder(report.results);
  const sections = [
    ...renderFailures(report, results),
    ...worthALook(results),
    ...(report.layer === 'silver' ? rowAccounts(report) : tableStates(report)),
    ...silence(results),
  ];
  const numbered = sections.flatMap((section, index) => [`## ${index + 1}. ${section.heading}`, ...section.lines, '']);
  return `${[
    titleLine(report),
    '',
    ...decision(report, results),
    '',
    ...renderDecide(report),
    ...renderSince(report.since),
    ...numbered,
    ...footer(report, results),
  ].join('\n')}\n`;
}

/** `SILVER_QUALITY · ecommerce · 2025-10-08 · FAIL, not published` */
export function reportTitle(report: Report): string {
  return [
    report.name,
    report.pipeline,
    daySpan(report.interval.from, report.interval.to),
    outcomeWords(report.decision),
  ].join(' · ');
}

function titleLine(report: Report): string {
  return `# ${markdownText(reportTitle(report), Number.POSITIVE_INFINITY)}`;
}

function decision(report: Report, results: readonly CheckResult[]): string[] {
  const lines = [`${readersSee(report)} ${whatBroke(report, results)}`.trimEnd()];
  if (report.layer === 'silver') lines.push(...accounting(report));
  return lines;
}

function readersSee(report: Report): string {
  const isBronze = report.layer === 'bronze';
  const { accepted } = report.decision;
  if (accepted) {
    const held =
      accepted.held.length > 0 ? ` ${accepted.held.map(codeSpan).join(', ')} stay as readers saw them before.` : '';
    return `**Published by ${markdownText(accepted.by)}: ${markdownSentence(accepted.because)}**${held}`;
  }
  if (report.decision.mayPublish) {
    if (report.decision.verdict === 'FAIL') return '**Goes on, because the mode is `warning-only`.**';
    return { bronze: '**May be built.**', dims: '**May be used.**' }[report.layer as string] ?? '**May be published.**';
  }
  const layer = isBronze ? 'silver' : report.layer;
  const seen =
    report.currentPublication === null
      ? `eaders still see nothing: ${layer} has no publication yet`
      : `eaders still see publication ${report.currentPublication}${isBronze ? ' of silver' : ''}`;
  return isBronze ? `**Nothing is built from this delivery; r${seen}.**` : `**R${seen}.**`;
}

function whatBroke(report: Report, results: readonly CheckResult[]): string {
  const all = report.tables.length;
  const broken = new Set(results.filter((r) => r.state === 'FAIL' && r.table !== ALL_TABLES).map((r) => r.table)).size;
  const warned = results.filter((r) => r.state === 'WARN').length;
  const { verdict, accepted } = report.decision;
  if (verdict === 'PASS' && !accepted)
    return all === 1 ? 'The table keeps what was promised.' : `All ${counted(all, 'table')} keep what was promised.`;
  if (verdict === 'WARN' && !accepted) {
    return warned === 0
      ? 'Nothing broke, but not every table could be evaluated.'
      : `No gate is broken; ${counted(warned, 'check')} ${warned === 1 ? 'warns' : 'warn'}.`;
  }
  const overall = results.some((r) => r.state === 'FAIL' && r.table === ALL_TABLES);
  return [
    `${broken} of ${counted(all, 'table')} ${broken === 1 ? 'breaks' : 'break'} a gate; ${count(all - broken)} ${all - broken === 1 ? 'is' : 'are'} ready.`,
    ...(overall ? ['A limit over all tables is broken.'] : []),
    ...afterthought(report, results),
  ].join(' ');
}

function afterthought(report: Report, results: readonly CheckResult[]): string[] {
  if (report.decision.accepted) return [];
  if (report.decision.mayPublish) return ['`strict` would have stopped here.'];
  const open = results.filter(isUndecided).length;
  if (open > 0)
    return [`${counted(open, 'check')} could not be decided, and what cannot be decided is stopped in every mode.`];
  return report.mode === 'strict' ? ['`warning-only` would have gone on.'] : [];
}

function accounting(report: Report): string[] {
  const sum = addAccounts(report.tables.map((table) => table.account));
  if (sum.input === 0) return ['**No row came in.**'];
  const lost = sum.input - sum.output - sum.quarantined - sum.duplicates - sum.filtered;
  const kept = lost === 0 ? 'every row accounted for' : `${counted(Math.abs(lost), 'row')} not accounted for`;
  return [
    `**${count(sum.quarantined)} of ${counted(sum.input, 'row')} (${percent(sum.quarantined / sum.input)}) quarantined; ${kept}.**`,
  ];
}

function worthALook(results: readonly CheckResult[]): Section[] {
  const failed = new Set(results.filter((r) => r.state === 'FAIL').map((r) => r.table));
  const isWorthIt = (result: CheckResult): boolean => {
    // Pass rates and quarantine stand in the table of all rows; beside a failure of the table they would say it again.
    if (result.state === 'WARN') return !(isConsequence(result) && failed.has(result.table));
    return result.state === 'PASS' && (result.failedRows ?? 0) > 0 && !isConsequence(result);
  };
  const lines = results.filter(isWorthIt).map((result) => {
    const note = result.note === '' ? '' : ` ${markdownSentence(result.note)}`;
    // A bare percentage does not say how many rows there are to look at.
    const share = result.observed.endsWith('%') && failingRows(result) !== '' ? `, ${failingRows(result)} rows` : '';
    return `- ${result.state} ${codeSpan(checkName(result))}: ${markdownSentence(result.observed)}${share} (expected ${markdownSentence(result.expected)}).${note}`;
  });
  if (lines.length === 0) return [];
  const others = lines.length - MOST_LOOKS;
  const shown = [
    ...lines.slice(0, MOST_LOOKS),
    ...(others > 0 ? [`- ${count(others)} more, in \`results.json\``] : []),
  ];
  return [{ heading: 'Passed, worth a look', lines: shown }];
}

/** Every check that gave no answer, one line a reason. */
function silence(results: readonly CheckResult[]): Section[] {
  const byReason = new Map<string, CheckResult[]>();
  for (const result of results.filter((r) => r.state === 'NOT EVALUATED')) {
    byReason.set(result.note, [...(byReason.get(result.note) ?? []), result]);
  }
  const lines = [...byReason.entries()]
    .sort(([a], [b]) => compareText(a, b))
    .map(([why, silent]) => `- ${silentChecks(silent)}: ${markdownSentence(why)}`);
  return lines.length === 0 ? [] : [{ heading: 'Not evaluated (not a pass)', lines }];
}

/** One check of many tables, or many checks of a table, in few words. */
function silentChecks(silent: readonly CheckResult[]): string {
  const ids = [...new Set(silent.map((result) => result.checkId))];
  const tables = [...new Set(silent.map((result) => result.table))].sort(compareText);
  if (ids.length === 1) return `${codeSpan(ids[0] ?? '')} of ${tables.map((table) => markdownText(table)).join(', ')}`;
  return tables
    .map((table) => {
      const own = silent.filter((result) => result.table === table);
      return own.length > 3
        ? `${counted(own.length, 'check')} of ${markdownText(table)}`
        : own.map((r) => codeSpan(checkName(r))).join(', ');
    })
    .join(', ');
}

function rowAccounts(report: Report): Section[] {
  const tables = [...report.tables].sort(worstFirst);
  const sum = addAccounts(tables.map((table) => table.account));
  const judged = sum.output + sum.quarantined;
  const overall = report.results.find((result) => result.table === ALL_TABLES && result.checkId === 'max_quarantine');
  return [
    {
      heading: 'Where every row went',
      lines: [
        '| table | bronze | = silver | + quarantine | + dup | + filtered | pass | SLA | |',
        '|---|--:|--:|--:|--:|--:|--:|--:|---|',
        ...tables.map(({ table, account, passRate, sla, state }) =>
          tableRow([
            markdownText(table),
            ...[account.input, account.output, account.quarantined, account.duplicates, account.filtered].map(count),
            passRate === null ? 'none' : percent(passRate),
            limitPercent(sla),
            state,
          ]),
        ),
        tableRow([
          '**all**',
          ...[sum.input, sum.output, sum.quarantined, sum.duplicates, sum.filtered].map((rows) => `**${count(rows)}**`),
          judged === 0 ? 'none' : percent(sum.output / judged),
          overall ? `quarantine ${overall.expected}` : '',
          overall?.state ?? '',
        ]),
        ...replacedRows(sum.replaced),
      ],
    },
    ...reasons(tables),
  ];
}

function replacedRows(rows: number): string[] {
  return rows === 0
    ? []
    : ['', `${counted(rows, 'older silver row')} of known keys ${rows === 1 ? 'was' : 'were'} replaced by newer rows.`];
}

function worstFirst(a: TableAccount, b: TableAccount): number {
  const rank = { FAIL: 0, WARN: 1, PASS: 2, 'NOT EVALUATED': 3 } as const;
  return (
    rank[a.state] - rank[b.state] ||
    (a.passRate ?? 2) - (b.passRate ?? 2) ||
    b.account.input - a.account.input ||
    compareText(a.table, b.table)
  );
}

function reasons(tables: readonly TableAccount[]): Section[] {
  const lines = tables.flatMap(({ table, account }) =>
    Object.entries(account.byReason)
      .filter(([, rows]) => rows > 0)
      .sort(([a, rowsA], [b, rowsB]) => rowsB - rowsA || compareText(a, b))
      .map(([reason, rows]) =>
        tableRow([
          markdownText(table),
          markdownText(reason),
          count(rows),
          account.input === 0 ? '' : percent(rows / account.input),
        ]),
      ),
  );
  if (lines.length === 0) return [];
  return [
    {
      heading: 'Why rows were held back',
      lines: [
        '| table | reason | rows | of bronze |',
        '|---|---|--:|--:|',
        ...lines,
        '',
        'A row may have several reasons.',
      ],
    },
  ];
}

function tableStates(report: Report): Section[] {
  const lines = [...report.tables].sort(worstFirst).map(({ table, account, state }) => {
    const own = report.results.filter((result) => result.table === table);
    const inState = (wanted: CheckResult['state']) => count(own.filter((result) => result.state === wanted).length);
    return tableRow([
      markdownText(table),
      count(account.output),
      inState('FAIL'),
      inState('WARN'),
      inState('PASS'),
      inState('NOT EVALUATED'),
      state,
    ]);
  });
  if (lines.length === 0) return [];
  return [
    {
      heading: 'Tables',
      lines: ['| table | rows | FAIL | WARN | PASS | not evaluated | |', '|---|--:|--:|--:|--:|--:|---|', ...lines],
    },
  ];
}

function footer(report: Report, results: readonly CheckResult[]): string[] {
  const settings = Object.entries(report.settings)
    .filter(([name]) => name !== 'dag')
    .sort(([a], [b]) => compareText(a, b))
    .map(([name, value]) => `${name} ${settingText(value)}`);
  return [
    `Settings: ${markdownText([`mode ${report.mode}`, ...settings].join(' · '), Number.POSITIVE_INFINITY)}`,
    '',
    `Reproduce: ${commands(report, results).map(codeSpan).join(' · ')}`,
    '',
    `[all checks](${report.name}.results.json) · [provenance](provenance.json)`,
  ];
}

function commands(report: Report, results: readonly CheckResult[]): string[] {
  const { rerun } = report;
  const failed = [...new Set(results.filter((r) => r.state === 'FAIL' && r.table !== ALL_TABLES).map((r) => r.table))];
  const look = (table: string) =>
    report.layer === 'gold' ? `assay query "select * from gold.${table}"` : `assay ls ${report.layer}.${table} --files`;
  return [
    ...(rerun === null || rerun === undefined ? [] : [rerun]),
    `assay report show ${report.name}`,
    ...(report.layer === 'bronze' ? [] : failed.slice(0, 3).map(look)),
  ];
}
