/** The folder of the package -> its program, installed if need be; or the reason why it cannot be had here. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../fixtures-support/package-root.ts';

export const ZETASQL_FOLDER = join(packageRoot(), 'test/cloud/zetasql');

/**
 * Installs what the lock file says, once, into the folder itself. Null where it is there.
 *
 * @throws Error in CI, where a check that is left out would go unnoticed
 */
export async function installZetaSql(): Promise<string | null> {
  const reason = await unavailable();
  if (reason !== null && process.env.CI === 'true') throw new Error(reason);
  return reason;
}

async function unavailable(): Promise<string | null> {
  const name = '@fivetrandevelopers/zetasql 1.13.0';
  if (process.platform !== 'linux' && process.platform !== 'darwin')
    return `${name} has no program for ${process.platform}`;
  if (existsSync(join(ZETASQL_FOLDER, 'node_modules/@fivetrandevelopers/zetasql/package.json'))) return null;
  try {
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: ZETASQL_FOLDER,
      timeout: 300_000,
    });
    return null;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return `${name} cannot be installed in test/cloud/zetasql: ${message.split('\n').slice(0, 3).join(' ')}`;
  }
}
