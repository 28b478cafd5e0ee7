/** Airflow's operations that Assay does not have -> 501, each naming what to use instead; never a made-up success. */
import { PipelineError } from '../../core/errors.ts';
import type { Api } from './api.ts';

const RUN = '/api/v2/dags/:dag_id/dagRuns/:dag_run_id';
const INSTANCE = `${RUN}/taskInstances/:task_id`;

const USE_TABLES =
  'Tables are not Airflow assets here; what is published of them is at GET /api/assay/v1/publications/{layer}.';
const USE_BACKFILL =
  'Backfills are not kept as objects. Trigger one run a day with POST /api/v2/dags/{dag_id}/dagRuns, or use `assay backfill`.';
const USE_SETTINGS =
  'Connections and variables do not exist; settings are in config/config.yml and in the environment of the server.';
const USE_SPEC =
  'A DAG lives as long as its spec declares it: edit the spec, or pause it with PATCH /api/v2/dags/{dag_id}.';
const USE_RUN_PAGE =
  'Tasks do not exchange XComs; what a task did is on the page /dags/{dag_id}/runs/{run_id} and in its log.';
const USE_CLEAR =
  'The state of a task is not set by hand; run it again with POST /api/v2/dags/{dag_id}/clearTaskInstances.';
const USE_POOLS = 'Pools are set in config/config.yml; GET /api/v2/pools shows them.';
const NO_HUMANS = 'There are no tasks that wait for a person.';
const NO_VERSIONS =
  'Versions of a DAG are not numbered; bundle_version of a DAG and of a run is the fingerprint of its version.';
const NO_SUCH_THING = 'Assay has nothing of the kind.';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Paths as Airflow 3.2.1 lists them. */
const NOT_SERVED: readonly (readonly [readonly Method[], readonly string[], string])[] = [
  [['GET', 'POST'], ['/api/v2/assets/events'], USE_TABLES],
  [
    ['GET'],
    ['/api/v2/assets', '/api/v2/assets/aliases', '/api/v2/assets/aliases/:id', '/api/v2/assets/:asset_id'],
    USE_TABLES,
  ],
  [['POST'], ['/api/v2/assets/:asset_id/materialize'], USE_TABLES],
  [
    ['GET', 'DELETE'],
    [
      '/api/v2/assets/:asset_id/queuedEvents',
      '/api/v2/dags/:dag_id/assets/queuedEvents',
      '/api/v2/dags/:dag_id/assets/:asset_id/queuedEvents',
    ],
    USE_TABLES,
  ],
  [['GET'], [`${RUN}/upstreamAssetEvents`], USE_TABLES],
  [['GET', 'POST'], ['/api/v2/backfills'], USE_BACKFILL],
  [['POST'], ['/api/v2/backfills/dry_run'], USE_BACKFILL],
  [['GET'], ['/api/v2/backfills/:id'], USE_BACKFILL],
  [
    ['PUT', 'POST'],
    ['/api/v2/backfills/:id/pause', '/api/v2/backfills/:id/unpause', '/api/v2/backfills/:id/cancel'],
    USE_BACKFILL,
  ],
  [['GET'], ['/api/v2/config', '/api/v2/config/section/:section/option/:option'], USE_SETTINGS],
  [['GET', 'POST', 'PATCH'], ['/api/v2/connections', '/api/v2/variables'], USE_SETTINGS],
  [['POST'], ['/api/v2/connections/test', '/api/v2/connections/defaults'], USE_SETTINGS],
  [['GET', 'PATCH', 'DELETE'], ['/api/v2/connections/:id', '/api/v2/variables/:key'], USE_SETTINGS],
  [['PATCH'], ['/api/v2/dags'], 'DAGs are paused one by one with PATCH /api/v2/dags/{dag_id}.'],
  [['DELETE'], ['/api/v2/dags/:dag_id'], USE_SPEC],
  [['POST'], ['/api/v2/dags/:dag_id/favorite', '/api/v2/dags/:dag_id/unfavorite'], NO_SUCH_THING],
  [['GET'], ['/api/v2/dags/:dag_id/dagVersions', '/api/v2/dags/:dag_id/dagVersions/:n'], NO_VERSIONS],
  [
    ['PUT'],
    ['/api/v2/parseDagFile/:file_token'],
    'A saved spec is read without being asked; `assay spec validate` checks it.',
  ],
  [['DELETE'], [RUN], 'Runs are kept; POST …/dagRuns/{dag_run_id}/clear runs one again.'],
  [['GET'], [`${RUN}/hitlDetails`], NO_HUMANS],
  [['GET', 'PATCH'], [`${INSTANCE}/:map_index/hitlDetails`], NO_HUMANS],
  [['GET'], [`${INSTANCE}/:map_index/hitlDetails/tries/:n`], NO_HUMANS],
  [['PATCH'], [`${RUN}/taskInstances`, INSTANCE, `${INSTANCE}/dry_run`], USE_CLEAR],
  [['PATCH'], [`${INSTANCE}/:map_index`, `${INSTANCE}/:map_index/dry_run`], USE_CLEAR],
  [['DELETE'], [INSTANCE], USE_CLEAR],
  [
    ['GET'],
    [`${INSTANCE}/dependencies`, `${INSTANCE}/:map_index/dependencies`],
    'What a task waits for is its upstream: GET /api/v2/dags/{dag_id}/tasks/{task_id}.',
  ],
  [
    ['GET'],
    [`${INSTANCE}/:map_index/tries`, `${INSTANCE}/:map_index/tries/:n`, `${INSTANCE}/listMapped`],
    'Tasks are not mapped; leave map_index out.',
  ],
  [
    ['GET'],
    [`${INSTANCE}/links`, `${INSTANCE}/externalLogUrl/:n`],
    'Logs are at GET …/taskInstances/{task_id}/logs/{try_number}.',
  ],
  [['GET', 'POST'], [`${INSTANCE}/xcomEntries`], USE_RUN_PAGE],
  [['GET', 'PATCH', 'DELETE'], [`${INSTANCE}/xcomEntries/:xcom_key`], USE_RUN_PAGE],
  [['POST', 'PATCH'], ['/api/v2/pools'], USE_POOLS],
  [['PATCH', 'DELETE'], ['/api/v2/pools/:name'], USE_POOLS],
  [['GET'], ['/api/v2/eventLogs/:id'], 'GET /api/v2/eventLogs lists the events.'],
  [['GET'], ['/api/v2/plugins', '/api/v2/plugins/importErrors'], NO_SUCH_THING],
  [['GET'], ['/api/v2/auth/login', '/api/v2/auth/logout'], 'There is no login.'],
];

/** To be registered before the operations that Assay has: `listMapped` would else be read as a map index. */
export function registerNotServed(api: Api): void {
  for (const [methods, paths, instead] of NOT_SERVED) {
    api.on([...methods], [...paths], (context) => {
      throw new PipelineError(
        'not_implemented',
        `Assay does not serve ${context.req.method} ${context.req.path}. ${instead}`,
      );
    });
  }
}
