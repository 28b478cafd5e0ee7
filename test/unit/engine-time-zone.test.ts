/** Instants as text: in UTC, wherever the machine is. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';

const READ = `
  import { DuckDbSession } from ${JSON.stringify(new URL('../../engine/duckdb-session.js', import.meta.url).href)};
  const session = await DuckDbSession.open();
  const rows = await session.rows("SELECT TIMESTAMPTZ '2025-10-09 02:15:00+00' AS one, [TIMESTAMPTZ '2025-10-09 02:15:00+00'] AS many");
  console.log(JSON.stringify(rows));
`;

describe('an instant that is read from DuckDB', () => {
  for (const zone of ['UTC', 'America/New_York', 'Pacific/Auckland', 'Asia/Kolkata']) {
    test(`is the same text in ${zone}`, () => {
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', READ], {
        env: { ...process.env, TZ: zone },
        encoding: 'utf8',
      });
      const [row] = JSON.parse(printed) as readonly Record<string, unknown>[];
      assert.equal(row?.one, '2025-10-09 02:15:00+00');
      assert.match(JSON.stringify(row?.many), /2025-10-09 02:15:00\+00/);
    });
  }
});
