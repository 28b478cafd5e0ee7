/** The module of a task child: settings from the scheduler -> handlers, which it then serves until the scheduler goes away. */
import type { Settings } from '../config/settings.ts';
import { serveAttempts } from '../scheduler/executors/serve-attempts.ts';
import { createHandlers, loadHandlers } from './handlers.ts';
import { systemClock } from './system-clock.ts';
import { quietLookups } from './warnings.ts';

quietLookups();
serveAttempts({
  clock: systemClock,
  createHandlers: async (settings) => createHandlers(settings as unknown as Settings),
  warm: loadHandlers,
});
