/** `assay init` in a folder that holds something already. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { init } from '../../cli/commands/init.ts';
import { asPipelineError } from '../../core/errors.ts';
import { withTempFolder } from '../fixtures-support/temp-folder.ts';

describe('a project is not made', () => {
  const refuses = (dir: string, message: RegExp): Promise<void> =>
    assert.rejects(init(dir), (thrown) => {
      const error = asPipelineError(thrown);
      return error.code === 'state_conflict' && message.test(error.message);
    });

  test('over a delivered file of the same name, and nothing else is written', () =>
    withTempFolder(async (folder) => {
      mkdirSync(join(folder, 'landing/shop'), { recursive: true });
      writeFileSync(join(folder, 'landing/shop/orders.csv'), 'mine');
      await refuses(folder, /already has landing\/shop\/orders\.csv/);
      assert.equal(readFileSync(join(folder, 'landing/shop/orders.csv'), 'utf8'), 'mine');
      assert.deepEqual(readdirSync(folder), ['landing']);
    }));

  test('over another project', () =>
    withTempFolder(async (folder) => {
      mkdirSync(join(folder, 'specs'));
      await refuses(folder, /already has a specs\/ folder/);
    }));

  test('in a file', () =>
    withTempFolder(async (folder) => {
      writeFileSync(join(folder, 'notes'), '');
      await refuses(join(folder, 'notes'), /is a file\. Choose another folder/);
    }));
});
