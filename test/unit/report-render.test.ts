/** Report values -> Markdown, HTML, JUnit and results.json. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EMPTY_ACCOUNT } from '../../core/row-account.ts';
import type { CheckResult, Report, RowAccount } from '../../core/types.ts';
import { count, daySpan, percent } from '../../validation/figures.ts';
import { markdownSentence, markdownText, visibleText } from '../../validation/report/escape-text.ts';
import { maskValue } from '../../validation/report/mask-value.ts';
import { renderHtml } from '../../validation/report/render-html.ts';
import { renderJUnit } from '../../validation/report/render-junit.ts';
import { renderMarkdown } from '../../validation/report/render-markdown.ts';
import { digestOf, renderResults } from '../../validation/report/render-results.ts';
import { packageRoot } from '../fixtures-support/package-root.ts';

function result(table: string, checkId: string, rest: Partial<CheckResult>): CheckResult {
  return {
    checkId,
    table,
    state: 'PASS',
    severity: 'fail',
    description: '',
    expected: '0 rows',
    observed: '0 rows',
    failedRows: 0,
    totalRows: null,
    note: '',
    samples: [],
    owner: '',
    ...rest,
  };
}

function account(output: number, rest: Partial<RowAccount> = {}): RowAccount {
  const merged = { ...EMPTY_ACCOUNT, output, ...rest };
  return { ...merged, input: merged.output + merged.quarantined + merged.duplicates + merged.filtered };
}

const ORPHANS = {
  state: 'FAIL',
  description: 'Every `order_id` is an `order_id` of orders.',
  expected: '≥ 99 %',
  owner: 'returns@example.com',
} as const;

const REPORT: Report = {
  formatVersion: 1,
  pipeline: 'ecommerce',
  layer: 'silver',
  name: 'SILVER_QUALITY',
  interval: { from: '2025-10-08', to: '2025-10-12' },
  mode: 'strict',
  decision: {
    verdict: 'FAIL',
    mayPublish: false,
    blockedBy: [
      'silver.orders.pk_unique',
      'silver.return_items.fk_order',
      'silver.returns.fk_order',
      'silver.returns.pass_rate',
    ],
  },
  tables: [
    { table: 'cart_items', account: account(68_775), passRate: 1, sla: 0.95, state: 'PASS' },
    {
      table: 'orders',
      account: account(1_395, { duplicates: 5, replaced: 2, byReason: { duplicate_order_id: 5 } }),
      passRate: 1,
      sla: 0.95,
      state: 'FAIL',
    },
    {
      table: 'returns',
      account: account(19, { quarantined: 80, byReason: { order_fk_invalid: 80 } }),
      passRate: 19 / 99,
      sla: 0.95,
      state: 'FAIL',
    },
    {
      table: 'return_items',
      account: account(66, { quarantined: 293, byReason: { negative_price: 1, order_fk_invalid: 293 } }),
      passRate: 66 / 359,
      sla: 0.95,
      state: 'FAIL',
    },
  ],
  results: [
    result('returns', 'row_loss', {
      state: 'NOT EVALUATED',
      note: 'Not every bronze partition has a readable manifest.',
    }),
    result('orders', 'row_loss', {
      state: 'NOT EVALUATED',
      note: 'Not every bronze partition has a readable manifest.',
    }),
    result('orders', 'not_null_order_id', {}),
    result('orders', 'pk_unique', {
      state: 'FAIL',
      description: 'No two rows share `order_id`.',
      observed: '1 of 1,395 rows (0.07 %)',
      failedRows: 1,
      totalRows: 1_395,
      samples: [{ order_id: 'ORD-1', rows: '2' }],
    }),
    result('returns', 'pass_rate', {
      state: 'FAIL',
      description: 'Enough rows pass.',
      expected: '≥ 95 %',
      observed: '19.19 %',
      failedRows: 80,
      totalRows: 99,
      note: 'The rows are those of the key above, so this is not shown again.',
    }),
    result('returns', 'max_quarantine', { state: 'WARN', severity: 'warn', observed: '80.81 %', failedRows: 80 }),
    result('cart_items', 'fk_cart', { expected: '≥ 99 %', observed: '99.85 %', failedRows: 105, totalRows: 68_775 }),
    result('orders', 'cast_total_items', {
      state: 'WARN',
      severity: 'warn',
      observed: '3 rows',
      failedRows: 3,
      note: 'By partition: ingestion_dt=2025-10-08 3.',
    }),
    result('returns', 'fk_order', {
      ...ORPHANS,
      observed: '19.19 %',
      failedRows: 80,
      totalRows: 99,
      note: '80 quarantined as order_fk_invalid.',
      spread: [
        {
          key: 'ingest_dt',
          of: 'rows that came in',
          partitions: [
            { value: '2025-10-08', failed: 14, rows: 14 },
            { value: '2025-10-09', failed: 66, rows: 84 },
            { value: '2025-10-10', failed: 0, rows: 0 },
            { value: '2025-10-11', failed: 0, rows: 1 },
          ],
          others: null,
        },
      ],
      samples: [
        { return_id: 'RTN-42442259', customer_id: 'CUST-•••••', reason: 'too | big\nand `loud`' },
        { return_id: 'RTN-61147338', customer_id: 'CUST-•••••', reason: '<b>*_\u0007' },
      ],
    }),
    result('return_items', 'fk_order', {
      ...ORPHANS,
      observed: '18.38 %',
      failedRows: 293,
      totalRows: 359,
      note: '293 quarantined as order_fk_invalid.',
    }),
    result('*', 'max_quarantine', { expected: '≤ 5 %', observed: '0.53 %', failedRows: null }),
  ],
  currentPublication: 9,
  settings: { dag: 'ecom_silver_to_gold_pipeline', strict_foreign_keys: true, max_quarantine_pct: 5 },
  remedies: { accept: true, hold: ['orders', 'return_items', 'returns'] },
  rerun: 'assay run ecom_silver_to_gold_pipeline --from 2025-10-08 --to 2025-10-12 --as-one-run',
  downstream: [
    { asset: 'enriched.int_inventory_risk', of: ['return_items', 'returns'] },
    { asset: 'enriched.int_daily_business_metrics', of: ['orders', 'returns'] },
    { asset: 'gold.fct_daily_dashboard', of: ['orders', 'returns'] },
  ],
  since: {
    kind: 'compared',
    interval: { from: '2025-10-07', to: '2025-10-07' },
    outcome: 'FAIL, published with warnings (warning-only)',
    newFailures: ['silver.return_items.fk_order', 'silver.returns.fk_order', 'silver.returns.pass_rate'],
    stillFailing: [{ check: 'silver.orders.pk_unique', observed: '1 of 1,395 rows (0.07 %)', before: '2 rows' }],
    fixed: [],
    newWarnings: ['silver.orders.cast_total_items'],
    silent: [],
    dropped: [],
    schemaDrift: [{ check: 'silver.orders.schema_change', observed: 'new note_<b> (string)' }],
    settings: [{ name: 'strict_foreign_keys', from: 'false', to: 'true' }],
  },
};

/** The same content with every object's keys and the lists without an order of their own turned round. */
function shuffled(report: Report): Report {
  const turned = Object.fromEntries(Object.entries(report).reverse()) as unknown as Report;
  return { ...turned, results: [...report.results].reverse(), tables: [...report.tables].reverse() };
}

describe('Markdown', () => {
  test('reads as written by hand', () => {
    const golden = readFileSync(join(packageRoot(), 'test/fixtures/reports/SILVER_QUALITY.md'), 'utf8');
    assert.equal(renderMarkdown(REPORT), golden);
  });

  test('has the same bytes however results and tables were ordered', () => {
    assert.equal(renderMarkdown(shuffled(REPORT)), renderMarkdown(REPORT));
  });

  test('says that warning-only went on, and for a day how to run it again', () => {
    const markdown = renderMarkdown({
      ...REPORT,
      mode: 'warning-only',
      interval: { from: '2025-10-08', to: '2025-10-08' },
      decision: { ...REPORT.decision, mayPublish: true },
      currentPublication: null,
      rerun: 'assay run ecom_silver_to_gold_pipeline --date 2025-10-08',
    });
    assert.match(
      markdown,
      /^# SILVER_QUALITY · ecommerce · 2025-10-08 · FAIL, published with warnings \(warning-only\)\n/,
    );
    assert.match(markdown, /`strict` would have stopped here\./);
    assert.match(markdown, /`assay run ecom_silver_to_gold_pipeline --date 2025-10-08`/);
    assert.ok(!markdown.includes('Readers still see'));
    assert.ok(!markdown.includes('| decide |'));
  });

  test('of bronze says that nothing is built, and lists tables by their checks', () => {
    const markdown = renderMarkdown({ ...REPORT, name: 'BRONZE_QUALITY', layer: 'bronze' });
    assert.match(markdown, /\*\*Nothing is built from this delivery; readers still see publication 9 of silver\.\*\*/);
    assert.match(markdown, /\| orders \| 1,395 \| 1 \| 1 \| 1 \| 1 \| FAIL \|/);
    assert.ok(!markdown.includes('Where every row went'));
  });

  test('tells a row that is not accounted for', () => {
    const [first, ...others] = REPORT.tables;
    assert.ok(first);
    const lossy = { ...first, account: { ...first.account, input: first.account.input + 1 } };
    assert.match(renderMarkdown({ ...REPORT, tables: [lossy, ...others] }), /quarantined; 1 row not accounted for/);
  });
});

/** The commands of the table under the headline. */
function decisions(report: Report): string[] {
  const table = /\| decide \| command \|\n\|---\|---\|\n((?:\|.*\n)*)/.exec(renderMarkdown(report))?.[1] ?? '';
  return [...table.matchAll(/`(assay [^`]*)`/g)].map((match) => match[1] ?? '');
}

describe('what may be decided', () => {
  const rerun = REPORT.rerun ?? '';
  const hold = 'assay publish silver --hold-failed --because "…"';
  const accept = 'assay publish silver --because "…"';

  test('is to hold what failed, to accept it, or to correct it', () => {
    assert.deepEqual(decisions(REPORT), [hold, accept, rerun]);
  });

  test('leaves out what is no way: to hold, to accept, or both', () => {
    assert.deepEqual(decisions({ ...REPORT, remedies: { accept: true, hold: [] } }), [accept, rerun]);
    assert.deepEqual(decisions({ ...REPORT, remedies: { accept: false, hold: ['orders'] } }), [hold, rerun]);
    const { remedies: _none, ...bronze } = REPORT;
    assert.deepEqual(decisions({ ...bronze, layer: 'bronze' }), [rerun]);
  });

  test('is to deliver, not to correct, where a question stayed open', () => {
    const unread = { ...result('orders', 'readable', { state: 'FAIL' }), undecided: true };
    const markdown = renderMarkdown({ ...REPORT, results: [...REPORT.results, unread] });
    assert.match(markdown, /\| deliver what is missing or unreadable, then run the interval again \|/);
  });

  test('names the run only through the provenance, where its days do not', () => {
    const markdown = renderMarkdown({ ...REPORT, rerun: null });
    assert.match(
      markdown,
      /then clear the run that \[provenance\]\(provenance\.json\) names \| `assay clear ecom_silver_to_gold_pipeline <run>` \|/,
    );
    assert.ok(!markdown.includes('assay run '));
  });
});

describe('what changed', () => {
  test('says so where there is nothing to compare with', () => {
    const since = {
      kind: 'nothing_before',
      because: 'no earlier interval of `daily` has a `SILVER_QUALITY`.',
    } as const;
    assert.match(
      renderMarkdown({ ...REPORT, since }),
      /\n## Since the report before\nNothing to compare with: no earlier interval of `daily` has a `SILVER_QUALITY`\.\n/,
    );
  });

  test('names eight checks of a kind, and how many more there are', () => {
    assert.ok(REPORT.since?.kind === 'compared');
    const names = Array.from({ length: 10 }, (_, index) => `silver.orders.check_${index}`);
    const markdown = renderMarkdown({ ...REPORT, since: { ...REPORT.since, fixed: names, silent: names.slice(0, 1) } });
    assert.match(markdown, /fixed 10 · still failing 1 · new warnings 1 · not evaluated any more 1 · schema drift 1\n/);
    assert.match(markdown, /\n- Fixed: `silver\.orders\.check_0`, .*`silver\.orders\.check_7` and 2 more\n/);
  });
});

test('a page of thousands of failing checks stays under a megabyte and says what it left out', () => {
  const wide = 'x'.repeat(80);
  const results = Array.from({ length: 300 }, (_, table) =>
    Array.from({ length: 80 }, (_, check) =>
      result(`table_${table}`, `check_${String(check).padStart(2, '0')}`, {
        state: check < 60 ? 'FAIL' : 'WARN',
        description: `${wide} ${table}`,
        observed: wide,
        note: wide,
        samples: Array.from({ length: 5 }, () => ({ a: wide, b: wide, c: wide })),
      }),
    ),
  ).flat();
  const tables = Array.from({ length: 300 }, (_, table) => ({
    table: `table_${table}`,
    account: account(1),
    passRate: 1,
    sla: 1,
    state: 'FAIL' as const,
  }));
  const markdown = renderMarkdown({ ...REPORT, results, tables });
  assert.ok(Buffer.byteLength(renderHtml('wide', markdown)) < 1_000_000, `${markdown.length}`);
  assert.match(markdown, /## 51\. FAIL of other checks\n`check_50`, .*`check_59`: in `results\.json`\./);
  assert.match(markdown, /\n280 more checks: in `results\.json`\.\n/);
  assert.match(markdown, /\n- 5,900 more, in `results\.json`\n/);
});

describe('text from data', () => {
  test('cannot break a table, a line or a page', () => {
    assert.equal(markdownText('a|b'), 'a\\|b');
    assert.equal(markdownText('one\r\ntwo\nthree'), 'one⏎two⏎three');
    assert.equal(markdownText('<script>&lt;'), '&lt;script>&amp;lt;');
    assert.equal(markdownText('`x` *y* [z](u) ~~s~~ \\'), '\\`x\\` \\*y\\* \\[z\\](u) \\~\\~s\\~\\~ \\\\');
    assert.equal(markdownText('snake_case __init__'), 'snake_case \\_\\_init\\_\\_');
  });

  test('shows what cannot be seen, and is cut at 80 characters', () => {
    assert.equal(visibleText('a\u0000b\u202ec\u200bd'), 'a\\u{0}b\\u{202e}c\\u{200b}d');
    assert.equal(visibleText('\ud800'), '�');
    const cut = visibleText('😀'.repeat(81));
    assert.equal([...cut].length, 80);
    assert.ok(cut.endsWith('…'));
  });

  test('in a sentence keeps our code spans, and quoted backticks cannot open more', () => {
    assert.equal(markdownSentence('Every `a|b` is <x>.'), 'Every `a\\|b` is &lt;x>.');
    assert.equal(markdownSentence('one ` alone'), 'one \\` alone');
  });

  test('is masked by its tag', () => {
    assert.equal(maskValue('CUST-12345', 'customer'), 'CUST-•••••');
    assert.equal(maskValue('12 Main St', 'address'), '•••••');
    assert.equal(maskValue('anna@example.com', 'email'), 'a•••@•••');
    assert.equal(maskValue('no mail', 'email'), '•••••');
    assert.equal(maskValue('@', 'email'), '•••••');
    assert.equal(maskValue('plain', null), 'plain');
    assert.equal(maskValue(null, 'email'), '∅');
  });
});

describe('figures', () => {
  test('never round a flaw away', () => {
    assert.equal(percent(1), '100.00 %');
    assert.equal(percent(0.99999), '> 99.99 %');
    assert.equal(percent(0.000001), '< 0.01 %');
    assert.equal(percent(0), '0.00 %');
    assert.equal(percent(6_882 / 6_987), '98.50 %');
  });

  test('group thousands and shorten spans', () => {
    assert.deepEqual([0, 999, 1_000, 68_775, 12_345_678].map(count), ['0', '999', '1,000', '68,775', '12,345,678']);
    assert.equal(daySpan('2025-10-08', '2025-10-08'), '2025-10-08');
    assert.equal(daySpan('2025-10-08', '2025-10-17'), '2025-10-08..17');
    assert.equal(daySpan('2025-10-08', '2025-11-01'), '2025-10-08..2025-11-01');
  });
});

describe('other forms', () => {
  test('results.json ignores the order of keys, and its digest changes with any value', () => {
    const turned = Object.fromEntries(Object.entries(REPORT).reverse()) as unknown as Report;
    assert.equal(renderResults(turned), renderResults(REPORT));
    assert.deepEqual(JSON.parse(renderResults(REPORT)), REPORT);
    assert.notEqual(digestOf(renderResults(REPORT)), digestOf(renderResults({ ...REPORT, mode: 'warning-only' })));
  });

  test('JUnit counts failures and skips by table and is well-formed whatever the data holds', () => {
    const xml = renderJUnit({
      ...REPORT,
      results: [...REPORT.results, result('orders', 'odd', { state: 'FAIL', note: `<&"'>\u0000` })],
    });
    assert.match(xml, /<testsuite name="silver\.orders" tests="5" failures="2" skipped="1">/);
    assert.match(xml, /<testcase classname="silver\.orders" name="not_null_order_id"\/>/);
    assert.match(xml, /&lt;&amp;&quot;&apos;&gt;\\u\{0\}/);
    assert.match(
      xml,
      /name="fk_order">\n\s*<failure message="[^"]*">293 quarantined as order_fk_invalid\. New since 2025-10-07\. Hit downstream: enriched\.int_inventory_risk\.<\/failure>/,
    );
    assert.match(xml, /<testsuites name="ecommerce SILVER_QUALITY" tests="12" failures="5" skipped="2">/);
  });

  test('HTML stands alone, runs nothing, and shows data as text', () => {
    const html = renderHtml('<title>', renderMarkdown(REPORT));
    assert.match(html, /<title>&lt;title&gt;<\/title>/);
    assert.match(html, /default-src 'none'/);
    assert.ok(!/<script|<link|<img|\ssrc=/i.test(html));
    assert.ok(html.includes('&lt;b&gt;*_\\u{7}'));
    assert.ok(html.includes('too | big⏎and `loud`'));
  });
});
