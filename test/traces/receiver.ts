import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { assertSchema } from './schema.ts';
import type { Json } from '../support/shop.ts';

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  /** As plain values by name. */
  attributes: Record<string, string | number | boolean>;
  events: { name: string; attributes: Record<string, unknown> }[];
  status: { code?: number };
}

export interface Post {
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  body: Json;
}

export interface OtlpReceiver {
  /** Base address, without the path of the signal. */
  url: string;
  posts: Post[];
  spans(): Span[];
  spansOf(traceId: string): Span[];
  /** Waits for the server span with this id and answers its whole trace. */
  traceWith(spanId: string): Promise<Span[]>;
  answer: () => number;
  close(): Promise<void>;
}

const SERVER = 2;
const WAIT = { timeout: 30_000, interval: 20 };

function plain(attributes: Json[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}

function spansIn({ body }: Post): Span[] {
  const spans: Json[] = body.resourceSpans.flatMap((of: Json) => of.scopeSpans.flatMap((scope: Json) => scope.spans));
  return spans.map((span) => ({
    ...span,
    attributes: plain(span.attributes),
    events: span.events.map((event: Json) => ({ name: event.name, attributes: plain(event.attributes) })),
  }));
}

/** A collector's OTLP/HTTP port, which refuses what the official schema does not know. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const posts: Post[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      posts.push({ path: request.url ?? '', headers: request.headers, text, body: JSON.parse(text) });
      response.writeHead(receiver.answer(), { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts,
    spans: () => posts.flatMap(spansIn),
    spansOf: (traceId) => receiver.spans().filter((span) => span.traceId === traceId),
    traceWith: (spanId) =>
      vi.waitFor(() => {
        const root = receiver.spans().find((span) => span.spanId === spanId && span.kind === SERVER);
        if (root === undefined) throw new Error(`no server span ${spanId}`);
        return receiver.spansOf(root.traceId);
      }, WAIT),
    answer: () => 200,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      for (const { body } of posts) assertSchema(body);
    },
  };
  return receiver;
}
