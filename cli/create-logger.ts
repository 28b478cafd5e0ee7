/** A level -> a logger of JSON lines on stderr. pino loads with the first line that is written: most commands write none. */
import { createRequire } from 'node:module';
import type * as Pino from 'pino';
import type { Logger } from '../core/ports.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** What each threshold lets through. */
const WRITTEN: Readonly<Record<'silent' | 'info' | 'warn', readonly Level[]>> = {
  info: ['info', 'warn', 'error'],
  warn: ['warn', 'error'],
  silent: [],
};

/** `silent` for commands whose progress is their own. */
export function createLogger(threshold: 'silent' | 'info' | 'warn', destination?: Pino.DestinationStream): Logger {
  let opened: Pino.Logger | null = null;
  const open = (): Pino.Logger => {
    const { pino } = createRequire(import.meta.url)('pino') as typeof Pino;
    const { isoTime } = pino.stdTimeFunctions;
    return pino({ level: threshold, base: null, timestamp: isoTime }, destination ?? pino.destination(2));
  };
  const write =
    (level: Level): Logger[Level] =>
    (message, fields) => {
      if (!WRITTEN[threshold].includes(level)) return;
      opened ??= open();
      opened[level](fields ?? {}, message);
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
