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
    });
    assert.match(
      markdown,
      /^# SILVER_QUALITY · ecommerce · 2025-10-08 · FAIL, published with warnings \(warning-only\)\n/,
    );
    assert.match(markdown, /`strict` would have stopped here\./);
    assert.match(markdown, /`assay run ecom_silver_to_gold_pipeline --date 2025-10-08`/);
    assert.ok(!markdown.includes('Readers still see'));
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
