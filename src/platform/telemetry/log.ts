import type { Config } from '../config.ts';
import type { ErrorCode } from '../errors.ts';
import type { Loggable } from './redact.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];

type Optional<Table> = { readonly [Name in keyof Table]?: Table[Name] | null | undefined };

/** What the clockwork does, one after the other. */
export type TickStep =
  | 'orders'
  | 'payment_requests'
  | 'webhooks'
  | 'events'
  | 'reservations'
  | 'revocations'
  | 'gauges'
  | 'clean_up';

/** Every field of the log: no other name compiles, and no value but numbers, words of a closed list and Loggable text. */
export type LogFields = Optional<{
  trace_id: Loggable;
  span_id: Loggable;
  request_id: Loggable;
  method: Loggable;
  path: Loggable;
  route: Loggable;
  status: number;
  duration_ms: number;
  user_id: Loggable;
  order_id: Loggable;
  payment_id: Loggable;
  event_id: Loggable;
  aggregate_id: Loggable;
  db_round_trips: number;
  redis_round_trips: number;
  provider_calls: number;
  limiter: 'off' | 'allowed' | 'limited' | 'unreachable';
  cache: 'hit' | 'miss';
  replayed: boolean;
  error_code: ErrorCode;
  cause: Loggable;
  reason: Loggable | 'queue_full' | 'refused' | 'unreachable';
  faults: readonly Loggable[];
  orders_settled: number;
  payment_requests_settled: number;
  webhooks_applied: number;
  events_delivered: number;
  reservations_released: number;
  rows_removed: number;
  step: TickStep;
  attempts: number;
  mail_template: Loggable;
  spans: number;
  series: number;
  bytes: number;
}>;

/** Text that is written out in the source: its keys are known, where those of a string or a template are a pattern. */
type Constant<Text extends string> = Text extends Loggable
  ? Text
  : Partial<Record<Text, unknown>> extends Record<Text, unknown>
    ? never
    : Text;
type Checked<Given> = { readonly [Name in keyof Given]: Name extends keyof LogFields ? LogFields[Name] : never };

export interface Logger {
  log<Text extends string, const Given extends object>(
    level: Level,
    msg: Text & Constant<Text>,
    fields?: Given & Checked<Given>,
  ): void;
  /** The same log with what `context` says at the time in each line, such as the ids of the trace. */
  child(context: () => LogFields): Logger;
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

/** A caller's line break or terminal sequence must not make a line of its own, nor a space another field. */
function shown(value: unknown): string {
  const text = String(value);
  if (!/[\s"\p{Cc}]/u.test(text)) return text;
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replaceAll(/[\p{Cc}\u2028\u2029]/gu, escaped);
}

function human(level: Level, msg: string, fields: LogFields): string {
  const rest = Object.entries(fields).flatMap(([name, value]) => (value == null ? [] : `${name}=${shown(value)}`));
  return [level.toUpperCase().padEnd(5), msg, ...rest].join(' ');
}

const NO_CONTEXT = (): LogFields => ({});

export function createLogger(sink: Sink, now: () => Date, context = NO_CONTEXT): Logger {
  return {
    log(level, msg, fields) {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(sink.LOG_LEVEL)) return;
      const all = { ...context(), ...fields };
      if (sink.LOG_FORMAT === 'console') return emit(level, human(level, msg, all));
      emit(level, JSON.stringify({ level, timestamp: now().toISOString(), service: sink.SERVICE_NAME, ...all, msg }));
    },
    child: (more) => createLogger(sink, now, () => ({ ...context(), ...more() })),
  };
}
