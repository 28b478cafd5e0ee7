/** A folder -> a project that runs: one CSV in landing, one table, one mart, settings. */
import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { copyBundled } from '../bundled-files.ts';

const FILES: Readonly<Record<string, string>> = {
  'landing/shop/orders.csv': `order_id,customer,ordered_on,amount
1001,ada,2025-01-01,40.00
1002,grace,2025-01-01,12.50
1003,ada,2025-01-02,7.25
1004,edsger,2025-01-02,not-a-number
`,
  'specs/shop/pipeline.yml': `# yaml-language-server: $schema=../spec.schema.json
version: 1
pipeline: shop

base_silver:
  tables:
    - name: orders
      description: One row per order, as the shop exports it.
      source: {landing: {path: orders.csv}}
      primary_key: [order_id]
      columns:
        - {name: order_id, type: int64, required: true}
        - {name: customer, type: string, required: true, clean: lower}
        - {name: ordered_on, type: date, required: true}
        - {name: amount, type: "decimal(18,2)", required: true}
      rules:
        - {reason: negative_amount, when: amount < 0}
`,
  'specs/shop/marts/fct_daily_orders.sql': `/* @assay
description: Orders and revenue per day.
grain: [order_date]
columns:
  - {name: order_date, type: date}
  - {name: orders, type: int64}
  - {name: revenue, type: "decimal(18,2)"}
checks: [{id: revenue_not_negative, sql: revenue < 0, fail_if: "> 0"}]
@assay */
SELECT ordered_on AS order_date, COUNT(*) AS orders, SUM(amount) AS revenue
FROM silver.orders
GROUP BY 1
`,
  '.gitignore': 'data/\n.assay/\ndocs/validation_reports/\nnode_modules/\n',
};

/** Writes nothing over what is there: only `.gitignore` and the settings may be there before. */
export async function init(dir: string): Promise<void> {
  const root = resolve(dir);
  const inTheWay = obstacle(root);
  if (inTheWay !== null)
    throw new PipelineError('state_conflict', `${dir} ${inTheWay}. Choose another folder: assay init <dir>.`);
  for (const [path, text] of Object.entries(FILES)) {
    const target = join(root, path);
    if (existsSync(target)) continue;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
  await copyBundled('config/config.yml', root);
  await copyBundled('specs/spec.schema.json', root);
  const where = relative(process.cwd(), root) || '.';
  process.stdout.write(
    [
      `Made a project in ${where === '.' ? basename(root) : where}: one CSV in landing/shop/, one table and one mart in specs/shop/.`,
      '',
      ...(where === '.' ? [] : [`  cd ${where}`]),
      '  assay run shop --date 2025-01-02',
      '  assay query "select * from gold.fct_daily_orders"',
      '  assay report show SILVER_QUALITY',
      '',
    ].join('\n'),
  );
}

/** What a project cannot be made over. */
function obstacle(root: string): string | null {
  if (existsSync(root) && !statSync(root).isDirectory()) return 'is a file';
  if (existsSync(join(root, 'specs'))) return 'already has a specs/ folder';
  const taken = Object.keys(FILES).find((path) => path !== '.gitignore' && existsSync(join(root, path)));
  return taken === undefined ? null : `already has ${taken}`;
}
