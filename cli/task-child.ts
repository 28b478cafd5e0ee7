/** The module of a task child: settings from the scheduler -> handlers, which it then serves until the scheduler goes away. */
import type { Settings } from '../config/settings.ts';
import { serveAttempts } from '../scheduler/executors/serve-attempts.ts';
import { systemClock } from './app.ts';
import { createHandlers } from './handlers.ts';

serveAttempts({
  clock: systemClock,
  createHandlers: async (settings) => createHandlers(settings as unknown as Settings),
});
