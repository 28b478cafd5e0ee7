/** Conditions of the command line: what they become, and what is told where they cannot be read. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseWhere } from '../../cli/parse-where.ts';
import { asPipelineError } from '../../core/errors.ts';
import type { MetricFilter } from '../../core/metric-query.ts';

const READ: readonly (readonly [string, MetricFilter])[] = [
  ['channel = "web"', { field: 'channel', op: '=', value: 'web' }],
  ["channel='social media'", { field: 'channel', op: '=', value: 'social media' }],
  ['channel = web', { field: 'channel', op: '=', value: 'web' }],
  ["name = 'O''Hara'", { field: 'name', op: '=', value: "O'Hara" }],
  ['name = "say ""hi"""', { field: 'name', op: '=', value: 'say "hi"' }],
  ['name = ""', { field: 'name', op: '=', value: '' }],
  ["name = '<= is not an operator here'", { field: 'name', op: '=', value: '<= is not an operator here' }],
  ['net_revenue >= 12345678901234567890.5', { field: 'net_revenue', op: '>=', value: '12345678901234567890.5' }],
  ['net_revenue<>-1', { field: 'net_revenue', op: '!=', value: '-1' }],
  ['is_new = true', { field: 'is_new', op: '=', value: true }],
  ['flag = "true"', { field: 'flag', op: '=', value: 'true' }],
  ['channel IN (web, "a, b" , \'c\')', { field: 'channel', op: 'in', value: ['web', 'a, b', 'c'] }],
  ['channel not in (web)', { field: 'channel', op: 'not_in', value: ['web'] }],
  ['time between 2025-10-01 and 2025-10-07', { field: 'time', op: 'between', value: ['2025-10-01', '2025-10-07'] }],
  ["word between 'a and b' AND 'z'", { field: 'word', op: 'between', value: ['a and b', 'z'] }],
  ["channel like 'we%'", { field: 'channel', op: 'like', value: 'we%' }],
  ['channel is null', { field: 'channel', op: 'is_null' }],
  [' channel IS NOT NULL ', { field: 'channel', op: 'is_not_null' }],
];

describe('--where', () => {
  for (const [text, filter] of READ) {
    test(`reads ${text}`, () => {
      assert.deepEqual(parseWhere(text), filter);
    });
  }

  for (const text of [
    '',
    'channel',
    'channel =',
    'channel = a b',
    'channel = "open',
    '= web',
    'channel in ()',
    'channel in (a,)',
    'n between 1',
    'n between 1 and 2 and 3',
    "channel = 'a' or 1 = 1",
    'a.b = 1',
  ]) {
    test(`refuses ${text === '' ? 'nothing' : text} and shows how it is written`, () => {
      assert.throws(
        () => parseWhere(text),
        (thrown) => {
          const { code, message } = asPipelineError(thrown);
          return code === 'usage' && message.includes('--where cannot be read') && message.includes('between');
        },
      );
    });
  }
});
