/** Texts by file name -> a spec folder in a temporary project, read as the command line reads it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpecError, type SpecIssue } from '../../core/errors.ts';
import type { Spec } from '../../core/spec.ts';
import { type ReadSpec, readSpec } from '../../dags/read-specs.ts';
import { withTempFolder } from './temp-folder.ts';

export type SpecTexts = { readonly [file: string]: string | Uint8Array };

export interface SpecOptions {
  readonly environment?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** File names are relative to `specs/shop`. */
export async function readTexts(
  texts: SpecTexts,
  { environment = 'local', env = {} }: SpecOptions = {},
): Promise<ReadSpec> {
  return withTempFolder(async (root) => {
    for (const [file, text] of Object.entries(texts)) {
      const path = join(root, 'specs/shop', file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    return readSpec({ root, folder: 'specs/shop', environment, env });
  });
}

export async function specOf(texts: SpecTexts, options?: SpecOptions): Promise<Spec> {
  return (await readTexts(texts, options)).spec;
}

/** Every issue of a spec, valid or not. */
export async function issuesOf(texts: SpecTexts, options?: SpecOptions): Promise<readonly SpecIssue[]> {
  try {
    return (await readTexts(texts, options)).issues;
  } catch (thrown) {
    if (thrown instanceof SpecError) return thrown.issues;
    throw thrown;
  }
}

/** `error unknown_key shop.yml:3:5`: severity, code and place of each. */
export function brief(issues: readonly SpecIssue[]): readonly string[] {
  return issues.map(({ severity, code, location }) => {
    const file = location.file.replace(/^specs\/shop\//, '');
    return `${severity} ${code} ${file}:${location.line}:${location.column}`;
  });
}

/** Two small tables with declared columns, to hang other things on. */
export const SHOP = `base_silver:
  tables:
    - name: customers
      primary_key: [customer_id]
      columns:
        - {name: customer_id, required: true}
    - name: orders
      primary_key: [order_id]
      foreign_keys:
        - {column: customer_id, references: customers.customer_id}
      columns:
        - {name: order_id, required: true}
        - {name: customer_id, required: true}
        - {name: order_date, type: timestamp}
        - {name: total, type: "decimal(18,2)"}
`;
