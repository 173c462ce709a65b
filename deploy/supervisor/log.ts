import { saidIn } from './lines.ts';
import type { LogSink } from './log-sink.ts';

type Level = 'info' | 'warn' | 'error' | 'fatal';

/** Of the supervisor's own lines; the Worker's come ready made. */
interface Fields {
  port?: number;
  tls?: boolean;
  status?: number;
  method?: string;
  request_id?: string;
  duration_ms?: number;
  cause?: string;
  faults?: readonly string[];
  in_flight?: number;
  lines?: number;
  restart_in_ms?: number;
}

export interface Log {
  say(level: Level, msg: string, fields?: Fields): void;
}

export interface LogShape {
  LOG_FORMAT: 'json' | 'console';
  SERVICE_NAME: string;
}

/** One line in the form of the Worker's: a JSON object, or `LEVEL msg name=value` for a person. */
export function lineOf(shape: LogShape, level: Level, msg: string, fields: Fields = {}): string {
  if (shape.LOG_FORMAT === 'json') {
    const head = { level, timestamp: new Date().toISOString(), service: shape.SERVICE_NAME };
    return JSON.stringify({ ...head, ...fields, msg });
  }
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [level.toUpperCase().padEnd(5), msg, ...rest].join(' ');
}

/** Few and wanted: LOG_LEVEL, which thins out what requests say, does not apply to them. */
export function createLog(shape: LogShape, sink: LogSink): Log {
  return { say: (level, msg, fields) => sink.write(lineOf(shape, level, msg, fields)) };
}

/** What workerd has printed, as a line of the log: the Worker's own lines are in its form, workerd's are put into it. */
export function lineFrom(shape: LogShape, printed: string): string {
  const { level, message } = saidIn(printed);
  const isReady = shape.LOG_FORMAT === 'console' ? message !== printed : message.startsWith('{');
  return isReady ? message : lineOf(shape, level, 'workerd', { cause: message });
}
