/** Environment variables -> the project and the bucket that the suites may use, and the names under which they do. */
import type { CloudAccount } from '../cloud/bigquery-place.ts';

export interface RealAccount extends CloudAccount {
  /** Datasets begin so; all of them may be removed. */
  readonly datasets: string;
  /** Objects lie below it; all of them may be removed. */
  readonly prefix: string;
}

/**
 * `ASSAY_REAL_PROJECT`, `_BUCKET`, `_LOCATION`, `_KEY_FILE`, and `_STAMP`, which makes the names of one run its own.
 * `ASSAY_REAL_GCS_ENDPOINT` and `ASSAY_REAL_BIGQUERY_ENDPOINT` name other servers, for trying the suites themselves.
 */
export function realAccount(env: NodeJS.ProcessEnv): RealAccount | { readonly skip: string } {
  const { ASSAY_REAL_PROJECT: projectId = '', ASSAY_REAL_BUCKET: bucket = '' } = env;
  if (projectId === '' || bucket === '') {
    return { skip: 'no project to run in: npm run test:real -- --project P --bucket B' };
  }
  const stamp = env.ASSAY_REAL_STAMP ?? stampOf(Date.now());
  return {
    projectId,
    bucket,
    location: env.ASSAY_REAL_LOCATION || 'US',
    keyFile: env.ASSAY_REAL_KEY_FILE || null,
    storageEndpoint: env.ASSAY_REAL_GCS_ENDPOINT || null,
    bigQueryEndpoint: env.ASSAY_REAL_BIGQUERY_ENDPOINT || null,
    datasets: `assay_contract_${stamp}_`,
    prefix: `assay-contract-${stamp}/`,
  };
}

/** `20251015t083000` */
export function stampOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase();
}
