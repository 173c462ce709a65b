import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod';

/** A request as it came, its body unpacked and parsed. */
export interface Push {
  request: string;
  headers: IncomingMessage['headers'];
  /** Bytes on the wire, and once unpacked. */
  sentBytes: number;
  bodyBytes: number;
  body: unknown;
  /** Every line, in the order of the body. */
  lines: string[];
}

// Loki's defaults: https://grafana.com/docs/loki/latest/configure/#limits_config
const LABELS_MAX = 15;
const NAME_MAX = 1024;
const VALUE_MAX = 2048;
const LINE_BYTES_MAX = 256 * 1024;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const OLDEST_MS = 7 * 24 * 60 * 60 * 1000;
const AHEAD_MS = 10 * 60 * 1000;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

// https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
const Entry = z.union([
  z.tuple([z.string(), z.string()]),
  z.tuple([z.string(), z.string(), z.record(z.string(), z.string())]),
]);
const Body = z.strictObject({
  streams: z
    .array(
      z.strictObject({
        stream: z
          .record(z.string().max(NAME_MAX).regex(LABEL), z.string().min(1).max(VALUE_MAX))
          .refine((labels) => Object.keys(labels).length > 0, 'has no label')
          .refine((labels) => Object.keys(labels).length <= LABELS_MAX, 'has too many labels'),
        values: z.array(Entry).min(1),
      }),
    )
    .min(1),
});

/** Rejects when the body is not what its headers say. */
export async function readPush(request: IncomingMessage): Promise<Push> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const sent = Buffer.concat(chunks);
  const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  const body: unknown = JSON.parse(bytes.toString('utf8'));
  const parsed = Body.safeParse(body);
  return {
    request: `${request.method} ${request.url}`,
    headers: request.headers,
    sentBytes: sent.length,
    bodyBytes: bytes.length,
    body,
    lines: parsed.data?.streams.flatMap(({ values }) => values.map(([, line]) => line)) ?? [],
  };
}

/** What Loki would refuse, or take in another order than it was written; `nowMs` absent: times are not judged. */
export function pushFaults(push: Push, nowMs?: number): string[] {
  const faults: string[] = [];
  const must = (holds: boolean, fault: string) => void (holds || faults.push(fault));
  must(push.request === 'POST /loki/api/v1/push', push.request);
  must(push.headers['content-type'] === 'application/json', `content-type ${push.headers['content-type']}`);
  must(['gzip', undefined].includes(push.headers['content-encoding']), 'an unknown content-encoding');
  must(push.bodyBytes <= BODY_BYTES_MAX, `${push.bodyBytes} bytes at once`);
  const { data, error } = Body.safeParse(push.body);
  if (!data) return [...faults, z.prettifyError(error)];
  const labels = data.streams.map(({ stream }) => JSON.stringify(Object.entries(stream).map(String).toSorted()));
  must(new Set(labels).size === labels.length, 'a stream that comes twice');
  for (const { values } of data.streams) faults.push(...entryFaults(values, nowMs));
  return faults;
}

function entryFaults(values: readonly z.infer<typeof Entry>[], nowMs: number | undefined): string[] {
  const faults: string[] = [];
  let last = 0n;
  for (const [nanoseconds, line] of values) {
    if (!/^[1-9]\d{0,18}$/.test(nanoseconds)) {
      faults.push(`the time ${nanoseconds}`);
      continue;
    }
    const time = BigInt(nanoseconds);
    if (time < last) faults.push(`${nanoseconds} after ${last}`);
    const aheadMs = nowMs === undefined ? 0 : Number(time / 1_000_000n) - nowMs;
    if (aheadMs > AHEAD_MS || aheadMs < -OLDEST_MS) faults.push(`${nanoseconds} is too far away`);
    if (Buffer.byteLength(line) > LINE_BYTES_MAX) faults.push(`a line of ${Buffer.byteLength(line)} bytes`);
    last = time;
  }
  return faults;
}
