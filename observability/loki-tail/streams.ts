import { redact } from '../../src/platform/telemetry/redact.ts';

/** What of a tail event is read. https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/ */
export interface TailItem {
  logs: readonly { timestamp: number; message: unknown }[];
  exceptions: readonly { timestamp: number; name: string; message: string }[];
  scriptName?: string | null;
}

/** As Loki's push API takes it: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs */
export interface Stream {
  stream: Record<string, string>;
  values: [nanoseconds: string, line: string][];
}

interface Entry {
  labels: Record<string, string>;
  timestampMs: number;
  line: string;
}

const LEVELS = new Set(['debug', 'info', 'warn', 'error', 'fatal']);

function parseLine(message: unknown): { line: string; service: string | null; level: string } {
  const line = Array.isArray(message) ? message.map(String).join(' ') : String(message);
  try {
    const { service, level } = JSON.parse(line);
    const isNamed = typeof service === 'string' && service !== '';
    return { line, service: isNamed ? service : null, level: LEVELS.has(level) ? level : 'info' };
  } catch {
    return { line, service: null, level: 'info' };
  }
}

function entriesOf({ logs, exceptions, scriptName }: TailItem, env: string): Entry[] {
  const script = scriptName || 'worker';
  return [
    ...logs.map(({ timestamp, message }) => {
      const { line, service, level } = parseLine(message);
      return { labels: { service: service ?? script, env, level }, timestampMs: Math.floor(timestamp), line };
    }),
    ...exceptions.map(({ timestamp, name, message }) => ({
      labels: { service: script, env, level: 'fatal' },
      timestampMs: Math.floor(timestamp),
      line: JSON.stringify({ level: 'fatal', msg: name, cause: redact(message) }),
    })),
  ];
}

/**
 * One stream per label set, oldest line first. Lines of one millisecond count on in nanoseconds: Loki keeps their order,
 * and drops none as a repetition.
 */
export function toStreams(items: readonly TailItem[], env: string): Stream[] {
  const streams = new Map<string, Stream>();
  const entries = items.flatMap((item) => entriesOf(item, env)).toSorted((a, b) => a.timestampMs - b.timestampMs);
  const inMillisecond = new Map<number, number>();
  for (const { labels, timestampMs, line } of entries) {
    const nth = inMillisecond.get(timestampMs) ?? 0;
    inMillisecond.set(timestampMs, nth + 1);
    const key = JSON.stringify(labels);
    const stream = streams.get(key) ?? { stream: labels, values: [] };
    stream.values.push([`${timestampMs}${String(nth).padStart(6, '0')}`, line]);
    streams.set(key, stream);
  }
  return [...streams.values()];
}

/** The same lines in pushes of at most `charactersMax` of line each; a longer line has one to itself. */
export function toPushes(streams: readonly Stream[], charactersMax: number): Stream[][] {
  const pushes: Stream[][] = [];
  let push: Stream[] = [];
  let characters = 0;
  for (const { stream, values } of streams) {
    let part: Stream | null = null;
    for (const entry of values) {
      const isFull = push.length > 0 && characters + entry[1].length > charactersMax;
      if (isFull) {
        pushes.push(push);
        [push, part, characters] = [[], null, 0];
      }
      if (part === null) {
        part = { stream, values: [] };
        push.push(part);
      }
      part.values.push(entry);
      characters += entry[1].length;
    }
  }
  return push.length === 0 ? pushes : [...pushes, push];
}
