import type { Config } from '../config.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

export interface Logger {
  log(level: Level, msg: string, fields?: Fields): void;
}

type Sink = Pick<Config, 'LOG_LEVEL' | 'LOG_FORMAT' | 'SERVICE_NAME'>;

/** Console methods carry the level to Workers Logs; the line itself is one JSON object. */
function emit(level: Level, line: string): void {
  /* oxlint-disable no-console -- the one place that writes: Workers have no other log output */
  if (level === 'fatal' || level === 'error') console.error(line);
  else if (level === 'warn') console.warn(line);
  else console.log(line);
  /* oxlint-enable no-console */
}

function human(level: Level, msg: string, fields: Fields): string {
  const rest = Object.entries(fields).flatMap(([name, value]) => (value == null ? [] : `${name}=${String(value)}`));
  return [level.toUpperCase().padEnd(5), msg, ...rest].join(' ');
}

export function createLogger(sink: Sink, now: () => Date): Logger {
  return {
    log(level, msg, fields = {}) {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(sink.LOG_LEVEL)) return;
      if (sink.LOG_FORMAT === 'console') return emit(level, human(level, msg, fields));
      emit(
        level,
        JSON.stringify({ level, timestamp: now().toISOString(), service: sink.SERVICE_NAME, ...fields, msg }),
      );
    },
  };
}
