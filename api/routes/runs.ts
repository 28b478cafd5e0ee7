/** `/api/assay/v1/dags/{dag}/runs/{run}`: a run and its task instances as Assay stores them, for our own command line. */
import { createRoute, z } from '@hono/zod-openapi';
import type { ApiDeps } from '../ports.ts';
import { type Api, json } from './api.ts';
