import { redact } from '../../src/platform/telemetry/redact.ts';

/**
 * A tail Worker that ships the shop's log lines to Loki. Opt in: deploy it by its own wrangler.toml, then name it under
 * `tail_consumers` of the shop. Labels are service, env and level only: anything with many values (a request id, a path)
 * stays in the line, where LogQL's `| json` finds it.
 */
export interface LokiEnv {
  /** Such as https://logs-prod-012.grafana.net/loki/api/v1/push */
  LOKI_URL: string;
  LOKI_USERNAME?: string;
  LOKI_PASSWORD?: string;
  /** The label `env`. */
  ENVIRONMENT: string;
}

/** What of a tail event is read. https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/ */
interface TailItem {
  logs: readonly { timestamp: number; message: unknown }[];
  exceptions: readonly { timestamp: number; name: string; message: string }[];
  scriptName?: string | null;
}

interface Stream {
  stream: Record<string, string>;
  values: [nanoseconds: string, line: string][];
}

const NANOSECONDS = '000000';
const TIMEOUT_MS = 10_000;

function parseLine(message: unknown): { line: string; service: string | null; level: string } {
  const line = Array.isArray(message) ? message.map(String).join(' ') : String(message);
  try {
    const { service, level } = JSON.parse(line);
    return { line, service: typeof service === 'string' ? service : null, level: String(level ?? 'info') };
  } catch {
    return { line, service: null, level: 'info' };
  }
}

/** One stream per label set; values are strings, times in nanoseconds, oldest first, as Loki's push API wants them. */
export function toStreams(items: readonly TailItem[], env: string): Stream[] {
  const streams = new Map<string, Stream>();
  const add = (labels: Record<string, string>, timestampMs: number, line: string) => {
    const key = JSON.stringify(labels);
    const stream = streams.get(key) ?? { stream: labels, values: [] };
    stream.values.push([`${Math.floor(timestampMs)}${NANOSECONDS}`, line]);
    streams.set(key, stream);
  };
  for (const item of items) {
    const script = item.scriptName ?? 'worker';
    for (const { timestamp, message } of item.logs) {
      const { line, service, level } = parseLine(message);
      add({ service: service ?? script, env, level }, timestamp, line);
    }
    for (const { timestamp, name, message } of item.exceptions) {
      add(
        { service: script, env, level: 'fatal' },
        timestamp,
        JSON.stringify({ level: 'fatal', msg: name, cause: redact(message) }),
      );
    }
  }
  for (const stream of streams.values()) stream.values.sort(([a], [b]) => a.length - b.length || a.localeCompare(b));
  return [...streams.values()];
}

export default {
  async tail(items: readonly TailItem[], env: LokiEnv): Promise<void> {
    const streams = toStreams(items, env.ENVIRONMENT);
    if (streams.length === 0) return;
    const credentials = btoa(`${env.LOKI_USERNAME ?? ''}:${env.LOKI_PASSWORD ?? ''}`);
    const response = await fetch(env.LOKI_URL, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(env.LOKI_USERNAME !== undefined && { authorization: `Basic ${credentials}` }),
      },
      body: JSON.stringify({ streams }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`Loki answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
    await response.body?.cancel();
  },
};
