/** A small project in memory with two DAGs, reports and publications, and the app over it. */
import { createApp } from '../../api/app.ts';
import type { ApiDeps, PipelineIssue, PublicationSummary, ReportSelector, ReportSummary } from '../../api/ports.ts';
import { PipelineError } from '../../core/errors.ts';
import { intervalOfDays, isoInstant } from '../../core/partition.ts';
import type { Dag, Decision, JsonValue, Task, TaskOutput } from '../../core/types.ts';
import { MemoryScheduler } from './api-scheduler.ts';

/** 2025-10-18, 09:00 UTC. */
export const START_MS = Date.UTC(2025, 9, 18, 9);

export const SILVER_TO_GOLD = 'ecom_silver_to_gold_pipeline';
export const DIM_REFRESH = 'ecom_dim_refresh_pipeline';

/** A clock that stands still until it is moved. */
export class MovableClock {
  #ms = START_MS;

  now(): number {
    return this.#ms;
  }

  move(ms: number): void {
    this.#ms += ms;
  }
}

function task(id: string, kind: Task['kind'], upstream: readonly string[], more: Partial<Task> = {}): Task {
  return {
    id,
    kind,
    layer: null,
    tables: [],
    group: null,
    upstream,
    triggerRule: 'all_success',
    retry: null,
    timeoutMs: null,
    pool: 'default',
    priority: 1,
    params: {},
    ...more,
  };
}

const member = (group: string, table: string, upstream: readonly string[]): Task =>
  task(`${group}.${table}`, 'build', upstream, { group, layer: 'silver', tables: [table] });

const silverToGold: Dag = {
  id: SILVER_TO_GOLD,
  pipeline: 'ecommerce',
  description: 'Cleans a day of bronze and publishes silver, enriched and gold.',
  owner: 'data-platform@example.com',
  tags: ['ecommerce', 'daily'],
  timezone: 'UTC',
  schedule: { cron: '0 6 * * *', timezone: 'UTC', window: 'previous_day', catchup: 'none' },
  maxActiveRuns: 1,
  tasks: [
    task('setup_pipeline_config', 'pin', [], { layer: 'bronze' }),
    member('base_silver', 'orders', ['setup_pipeline_config']),
    member('base_silver', 'returns', ['setup_pipeline_config']),
    task('validate_silver_quality', 'validate', ['base_silver.orders', 'base_silver.returns'], {
      layer: 'silver',
      retry: { retries: 0 },
    }),
    task('promote_silver_base', 'publish', ['validate_silver_quality'], { layer: 'silver' }),
    task('load_to_bigquery', 'load', ['promote_silver_base'], {
      layer: 'enriched',
      pool: 'warehouse',
      timeoutMs: 90_061_500,
      retry: { retries: 2, delayMs: 30_000, exponentialBackoff: true },
    }),
  ],
  sourceFile: 'specs/ecommerce/pipeline.yml',
  fingerprint: '00c0ffee00c0ffee',
};

const dimRefresh: Dag = {
  ...silverToGold,
  id: DIM_REFRESH,
  description: 'Refreshes the snapshots of customers and products.',
  tags: ['ecommerce', 'dims'],
  schedule: null,
  tasks: [task('snapshot_dims', 'build', [], { layer: 'dims' })],
  fingerprint: '00decade00decade',
};

export const PLANTED = '<script>document.title="owned"</script>';

const REPORT = `# SILVER_QUALITY · ecommerce · 2025-10-17 · FAIL, not published

**Readers still see publication 9.** 2 of 8 tables break a strict gate; 6 are ready.
**478 of 107,923 rows (0.44 %) quarantined; every row accounted for.**

| decide | command |
|---|---|
| accept for now | \`assay run ${SILVER_TO_GOLD} --env lenient\` |

## 1. FAIL \`silver.returns.fk_order\`
Every return must point to a known order.

| check | expected | observed | rows |
|---|---|---|--:|
| returns → orders | ≥ 99 % | **19.2 %** | 19 / 99 |

| return_id | order_id (no parent) | reason |
|---|---|---|
| RTN-1 | ORD-1 | ${PLANTED} |
| RTN-2 | [click](javascript:alert(1)) | <img src=x onerror=alert(1)> |

${PLANTED}

## 2. Where every row went
| table | bronze | = silver | + quarantine | pass | SLA | |
|---|--:|--:|--:|--:|--:|---|
| returns | 99 | 19 | 80 | 19.19 % | 95 % | FAIL |
| cart_items | 68,775 | 68,670 | 105 | 99.85 % | 95 % | WARN |
| orders | 2,054 | 2,054 | 0 | 100 % | 95 % | PASS |

[all checks](checks.md) · [guide](https://example.com/?a=1&b=2)
`;

const FAILED: Decision = { verdict: 'FAIL', mayPublish: false, blockedBy: ['silver.returns.fk_order'] };
const PASSED: Decision = { verdict: 'PASS', mayPublish: true, blockedBy: [] };

export interface World {
  readonly clock: MovableClock;
  readonly scheduler: MemoryScheduler;
  readonly deps: ApiDeps;
  readonly reports: ReportSummary[];
  readonly runReports: Map<string, ReportSummary[]>;
  readonly issues: PipelineIssue[];
  /** What was logged as broken. */
  readonly logged: string[];
  request(path: string, init?: RequestInit): Promise<Response>;
}

export function createWorld(more: Partial<ApiDeps> = {}): World {
  const clock = new MovableClock();
  const scheduler = new MemoryScheduler(clock, [silverToGold, dimRefresh]);
  scheduler.heartbeatMs = clock.now();
  const reports: ReportSummary[] = [
    {
      name: 'SILVER_QUALITY',
      pipeline: 'ecommerce',
      layer: 'silver',
      verdict: 'FAIL',
      mayPublish: false,
      mode: 'strict',
      blockedBy: ['silver.returns.fk_order'],
      interval: { from: '2025-10-17', to: '2025-10-17' },
      run: null,
      digest: 'd1',
      markdownPath: 'docs/validation_reports/ecommerce/SILVER_QUALITY.md',
    },
    {
      name: 'BRONZE_QUALITY',
      pipeline: 'ecommerce',
      layer: 'bronze',
      verdict: 'PASS',
      mayPublish: true,
      mode: 'strict',
      blockedBy: [],
      interval: { from: '2025-10-04', to: '2025-10-17' },
      run: null,
      digest: 'd2',
      markdownPath: 'docs/validation_reports/ecommerce/BRONZE_QUALITY.md',
    },
  ];
  const runReports = new Map<string, ReportSummary[]>();
  const issues: PipelineIssue[] = [];
  const logged: string[] = [];
  const isKnown = (selector: ReportSelector): boolean => reports.some((report) => report.name === selector.name);
  const results: JsonValue = { formatVersion: 1, decision: { verdict: 'FAIL' } };
  const deps: ApiDeps = {
    control: scheduler,
    history: scheduler,
    reports: {
      list: async () => reports,
      listOfRun: async (_dagId, runId) => runReports.get(runId) ?? [],
      markdown: async (selector) => (isKnown(selector) ? REPORT : null),
      results: async (selector) => (isKnown(selector) ? results : null),
    },
    publications: {
      current: async () => publications().filter((publication) => publication.isCurrent),
      list: async (layer) => publications().filter((publication) => publication.layer === layer),
    },
    specs: {
      source: async (file) => (file === 'specs/ecommerce/pipeline.yml' ? 'version: 1\npipeline: ecommerce\n' : null),
      issues: async () => issues,
    },
    pools: [
      { name: 'default', slots: 2 },
      { name: 'warehouse', slots: 1 },
    ],
    version: '0.1.0',
    clock,
    log: {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
    },
    query: async ({ ask }) => {
      const sql = ask.kind === 'sql' ? ask.sql : `select ${ask.query.mart}`;
      if (!/^select/i.test(sql)) throw new PipelineError('sql_invalid', `Expected a SELECT at 1:1, found: ${sql}`);
      const text = JSON.stringify({ asked: sql });
      return {
        tag: 't1',
        publications: [{ layer: 'gold', sequence: 9, publishedAt: '2025-10-16T06:01:00.000Z', verdict: 'PASS' }],
        inputs: [],
        verdict: 'PASS',
        content: {
          name: 'query-gold-9',
          rows: 1,
          truncated: false,
          sizeBytes: text.length,
          body: new Blob([text]).stream(),
        },
      };
    },
    ...more,
  };
  const app = createApp(deps);
  return {
    clock,
    scheduler,
    deps,
    reports,
    runReports,
    issues,
    logged,
    request: async (path, init) => app.request(`http://localhost${path}`, init),
  };
}

function publications(): readonly PublicationSummary[] {
  return [
    { layer: 'silver', sequence: 9, isCurrent: true },
    { layer: 'silver', sequence: 8, isCurrent: false },
    { layer: 'gold', sequence: 7, isCurrent: true },
  ].map((each) => ({
    ...each,
    layer: each.layer as PublicationSummary['layer'],
    pipeline: 'ecommerce',
    dagId: SILVER_TO_GOLD,
    runId: 'scheduled__2025-10-15T00:00:00Z',
    publishedAt: '2025-10-16T06:01:00.000Z',
    interval: intervalOfDays('2025-10-15', '2025-10-15', 'UTC'),
    verdict: 'WARN',
    revertsTo: null,
    tables: [
      { name: 'orders', partitions: 13, rows: 2054, sizeBytes: 180_224 },
      { name: 'returns', partitions: 9, rows: 99, sizeBytes: 20_480 },
    ],
  }));
}

// ------------------------------------------------------------------ runs as a test needs them

export function reportOutput(name: string, decision: Decision): TaskOutput {
  return {
    kind: 'report',
    report: {
      name,
      digest: 'd1',
      decision,
      markdownPath: `docs/validation_reports/ecommerce/${name}.md`,
      runMarkdownPath: `docs/validation_reports/ecommerce/runs/${name}.md`,
      resultsPath: `docs/validation_reports/ecommerce/runs/${name}.json`,
    },
  };
}

export function stagedOutput(table: string, rows: number, quarantined: number): TaskOutput {
  return {
    kind: 'staged',
    staged: {
      layer: 'silver',
      table,
      columns: [],
      primaryKey: [],
      partitionKey: 'ingestion_dt',
      unchanged: false,
      partitions: [{ value: '2025-10-17', files: [], rows, sizeBytes: 1024, fingerprint: 'f' }],
      removed: [],
      replacesAll: false,
      account: {
        input: rows + quarantined,
        output: rows,
        quarantined,
        duplicates: 0,
        filtered: 0,
        replaced: 0,
        byReason: {},
      },
      quarantine: [],
      buildCounts: {},
      inputs: {},
      logicFingerprint: 'l',
      state: {},
    },
  };
}

/** A run of one day that has come to its silver gate, as the ending says; its id. */
export async function runToGate(world: World, day: string, verdict: 'PASS' | 'FAIL'): Promise<string> {
  const { scheduler, clock } = world;
  const interval = intervalOfDays(day, day, 'UTC');
  const { runId } = await scheduler.trigger({
    dagId: SILVER_TO_GOLD,
    logicalDateMs: interval.startMs,
    interval,
    triggeredBy: 'timetable',
    runType: 'scheduled',
    runId: `scheduled__${isoInstant(interval.startMs).replace('.000Z', 'Z')}`,
  });
  const step = (taskId: string, output: TaskOutput, ms: number): void => {
    scheduler.start(SILVER_TO_GOLD, runId, taskId);
    scheduler.log(SILVER_TO_GOLD, runId, taskId, { level: 'info', event: `${taskId} begins`, rows: 2054 });
    clock.move(ms);
    scheduler.finish(SILVER_TO_GOLD, runId, taskId, { state: 'success', output });
  };
  step('setup_pipeline_config', { kind: 'nothing' }, 120);
  step('base_silver.orders', stagedOutput('orders', 2054, 12), 2_340);
  step('base_silver.returns', stagedOutput('returns', 19, 80), 810);
  const decision = verdict === 'PASS' ? PASSED : FAILED;
  const [silver] = world.reports;
  if (silver) world.runReports.set(runId, [{ ...silver, ...decision, run: { dagId: SILVER_TO_GOLD, runId } }]);
  if (verdict === 'PASS') {
    step('validate_silver_quality', reportOutput('SILVER_QUALITY', PASSED), 640);
    step(
      'promote_silver_base',
      { kind: 'published', publication: { layer: 'silver', sequence: 10, touched: {}, moved: true } },
      90,
    );
    step('load_to_bigquery', { kind: 'loaded', receipts: [] }, 1_200);
    return runId;
  }
  scheduler.start(SILVER_TO_GOLD, runId, 'validate_silver_quality');
  scheduler.log(SILVER_TO_GOLD, runId, 'validate_silver_quality', {
    level: 'error',
    event: `gate failed ${PLANTED}`,
    blockedBy: FAILED.blockedBy,
  });
  clock.move(640);
  scheduler.finish(SILVER_TO_GOLD, runId, 'validate_silver_quality', {
    state: 'failed',
    error: {
      code: 'gate_failed',
      message: `The silver gate is closed by silver.returns.fk_order. See docs/validation_reports/ecommerce/SILVER_QUALITY.md ${PLANTED}`,
      retryable: false,
    },
  });
  return runId;
}
