import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startReceiver, type Receiver } from '../events/receiver.ts';
import { isBatch1, isBatch2 } from '../support/order-path.ts';
import { type Person, register } from '../support/people.ts';
import { ADDRESS, call, createSku, type Json, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type OtlpReceiver, type Span, startOtlpReceiver } from './receiver.ts';
import { assertSchema } from './schema.ts';

const [SERVER, CLIENT] = [2, 3];
const WAIT = { timeout: 30_000, interval: 20 };
const CALLER = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

let receiver: OtlpReceiver;
let events: Receiver;
let stack: Stack;
let person: Person;
let skuId: string;
let cart: Json;
let placed: Reply;
let trace: Span[];

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  events = await startReceiver();
  stack = await startStack({
    env: {
      TRACING_ENABLED: 'true',
      OTLP_ENDPOINT: receiver.url,
      OTLP_HEADERS: 'authorization=Basic%20Zm9v, x-tenant=shop',
      TRACING_SAMPLING_RATE: '1',
      TRACE_PROPAGATION_HOSTS: new URL(events.url).host,
      EVENTS_URL: events.url,
      EVENTS_SECRET: 'events-0123456789-abcdefghijklmnop',
      SERVICE_VERSION: '1.2.3',
    },
  });
  stack.provider.setWebhookMode('hold');
  person = await register(stack);
  skuId = (await createSku(stack, { stock: 100 })).id;
  cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }], { token: person.token });
  const headers = { traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-00` };
  placed = await placeOrder(stack, cart.id, pay('tok_ok'), { token: person.token, headers, key: 'one-order' });
  await receiver.traceWith(spanIdOf(placed));
  trace = await vi.waitFor(() => {
    const spans = receiver.spansOf(CALLER.traceId);
    if (deliveryIn(spans) === undefined) throw new Error('the events are not delivered yet');
    return spans;
  }, WAIT);
});
afterAll(async () => {
  await stack.close();
  await events.close();
  await receiver.close();
});

const deliveryIn = (spans: Span[]) =>
  spans.find((span) => span.attributes['server.port'] === Number(new URL(events.url).port));
const spanIdOf = ({ headers }: Pick<Reply, 'headers'>): string => headers.get('traceparent')?.split('-')[2] ?? '';
const rootOf = (spans: Span[]): Span => spans.find(({ kind }) => kind === SERVER) as Span;
const childrenOf = (spans: Span[], parent: Span): Span[] =>
  spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
const system = (name: string) => (span: Span) => span.attributes['db.system.name'] === name;

describe('the trace of a checkout', () => {
  test('has one server span, under the span of the caller, that says what the log says', async () => {
    const root = rootOf(trace);
    expect(trace.filter(({ kind }) => kind === SERVER)).toHaveLength(1);
    expect(root).toMatchObject({ name: 'POST /api/v1/orders', parentSpanId: CALLER.spanId, status: {} });
    expect(root.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/api/v1/orders',
      'http.response.status_code': 201,
      'url.path': '/api/v1/orders',
      'url.scheme': 'http',
      'user.id': person.id,
      'ecommerce.order.id': placed.body.id,
    });
  });

  test('is a tree: client, route, then Postgres, Redis and the provider, each statement under its batch', () => {
    const root = rootOf(trace);
    const steps = childrenOf(trace, root);
    expect(steps.filter(system('redis')).map(({ name }) => name)).toEqual(['PIPELINE']);
    const batches = steps.filter(system('postgresql'));
    for (const batch of batches) {
      const statements = childrenOf(trace, batch);
      expect(batch.name).toBe('BATCH');
      expect(statements).toHaveLength(Number(batch.attributes['db.operation.batch.size']));
      for (const { attributes } of statements) expect(attributes['db.query.text']).toMatch(/select|insert|update/i);
    }
    expect(batches.length).toBeGreaterThanOrEqual(3);
    const calls = steps.filter(({ attributes }) => attributes['ecommerce.payment.provider'] === 'test');
    expect(calls).toMatchObject([{ name: 'POST', attributes: { 'http.response.status_code': 200 } }]);
    const known = new Set([root, ...steps, ...batches.flatMap((batch) => childrenOf(trace, batch))]);
    expect(trace.filter((span) => !known.has(span))).toEqual([]);
    for (const span of trace) {
      if (span !== root) expect(span.kind).toBe(CLIENT);
      expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
    }
  });

  test('has as many exchanges as the log line counts', async () => {
    const line = await lineOf(placed);
    const steps = childrenOf(trace, rootOf(trace));
    expect(steps.filter(system('redis'))).toHaveLength(Number(line.redis_round_trips));
    expect(steps.filter(({ attributes }) => 'ecommerce.payment.provider' in attributes)).toHaveLength(
      Number(line.provider_calls),
    );
  });

  test('has one id in the log line, the response header and the span', async () => {
    for (const path of ['/products?limit=1', '/products/nope', '/markets', '/no/such/route']) {
      const reply = await call(stack, 'GET', path);
      const [, traceId, spanId, flags] = reply.headers.get('traceparent')?.split('-') ?? [];
      const line = await lineOf(reply);
      const root = rootOf(await receiver.traceWith(String(spanId)));
      expect([line.trace_id, root.traceId]).toEqual([traceId, traceId]);
      expect([line.span_id, root.spanId]).toEqual([spanId, spanId]);
      expect(flags).toBe('01');
      expect(root.parentSpanId).toBeUndefined();
    }
  });

  test('goes on with those whose host is on the list, and with nobody else', () => {
    const [event] = events.deliveries;
    const hop = deliveryIn(trace);
    expect(event?.headers['traceparent']).toBe(`00-${CALLER.traceId}-${hop?.spanId}-01`);
    for (const peer of [stack.payments, stack.neon, stack.redis]) {
      expect(peer.exchanges.length).toBeGreaterThan(0);
      for (const { headers } of peer.exchanges) expect(headers['traceparent']).toBeUndefined();
    }
  });
});

async function lineOf({ headers }: Pick<Reply, 'headers'>): Promise<Json> {
  return await vi.waitFor(() => {
    const id = headers.get('x-request-id');
    const line = stack.logs().find(({ request_id, method }) => request_id === id && method !== undefined);
    expect(line).toBeDefined();
    return line;
  }, WAIT);
}

describe('what goes wrong is in the trace', () => {
  test('a batch that is sent again, and the one whose reply was lost', async () => {
    const again = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);
    stack.neon.inject(isBatch1, 'drop_reply');
    stack.neon.inject(isBatch2, 'drop_reply');
    const reply = await placeOrder(stack, again.id, pay('tok_ok'), {});
    expect(reply.status).toBe(201);
    const spans = await receiver.traceWith(spanIdOf(reply));
    const resent = spans.flatMap(({ events }) => events).filter(({ name }) => name === 'resend');
    expect(resent.length).toBeGreaterThanOrEqual(2);
    expect(resent[0]?.attributes).toEqual({ reason: 'unreachable' });
  });

  test('a provider that declines', async () => {
    const declined = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);
    const spans = await receiver.traceWith(spanIdOf(await placeOrder(stack, declined.id, pay('tok_declined'))));
    expect(spans.find(({ attributes }) => 'ecommerce.payment.provider' in attributes)).toMatchObject({
      status: { code: 2 },
      attributes: { 'http.response.status_code': 402, 'error.type': '402' },
    });
  });

  test('a database that is gone: both spans are errors', async () => {
    stack.neon.inject(() => true, 'drop_request', 9);
    const down = await call(stack, 'GET', '/markets');
    stack.neon.clear();
    const spans = await receiver.traceWith(spanIdOf(down));
    expect(rootOf(spans)).toMatchObject({ status: { code: 2 }, attributes: { 'error.type': '503' } });
    expect(spans.find(({ name }) => name === 'BATCH')).toMatchObject({
      status: { code: 2 },
      attributes: { 'error.type': 'DatabaseUnreachable' },
    });
  });
});

describe('what is sent', () => {
  test('is an ExportTraceServiceRequest by the official schema, with no unknown field', () => {
    expect(receiver.posts.length).toBeGreaterThan(0);
    for (const { body } of receiver.posts) assertSchema(body);
    const [post] = receiver.posts;
    const wrong = structuredClone(post?.body);
    wrong.resourceSpans[0].scopeSpans[0].spans[0].colour = 'red';
    expect(() => assertSchema(wrong)).toThrow(/the schema reads/);
  });

  test('goes to the path of the signal with the configured headers, named as this service', () => {
    for (const { path, headers, body } of receiver.posts) {
      expect(path).toBe('/v1/traces');
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        authorization: 'Basic Zm9v',
        'x-tenant': 'shop',
      });
      expect(body.resourceSpans[0].resource.attributes).toEqual(
        expect.arrayContaining([
          { key: 'service.name', value: { stringValue: 'ecommerce-api' } },
          { key: 'service.version', value: { stringValue: '1.2.3' } },
          { key: 'deployment.environment.name', value: { stringValue: 'test' } },
        ]),
      );
    }
  });

  test('is many requests in one POST', async () => {
    const before = receiver.posts.length;
    const replies = await Promise.all(Array.from({ length: 40 }, () => call(stack, 'GET', '/markets')));
    for (const reply of replies) await receiver.traceWith(spanIdOf(reply));
    expect(receiver.posts.length - before).toBeLessThanOrEqual(4);
  });

  test('holds no e-mail, password, token, postal address, cart id, query string, header or value of a statement', async () => {
    const secret = 'a-value-of-the-query';
    const headers = { 'user-agent': 'agent-of-the-caller', 'cf-connecting-ip': '203.0.113.77', cookie: 'c=jar' };
    const reply = await call(stack, 'GET', `/products?cursor=${secret}`, undefined, { headers });
    await call(stack, 'GET', `/carts/${cart.id}`, undefined, { token: person.token });
    const read = await call(stack, 'GET', `/carts/${cart.id}/no-such-thing`);
    await receiver.traceWith(spanIdOf(read));
    await receiver.traceWith(spanIdOf(reply));
    const sent = receiver.posts.map(({ text }) => text).join('\n');
    const { country: _country, postal_code, ...address } = ADDRESS;
    const personal = [person.email, person.password, person.token, person.refreshToken, ...Object.values(address)];
    const ofRequest = [secret, 'agent-of-the-caller', '203.0.113.77', 'c=jar', cart.id, 'one-order', 'tok_ok', skuId];
    expect([...personal, ...ofRequest].filter((word) => sent.includes(word))).toEqual([]);
    // An id or a time may have five such digits in it.
    expect(sent).not.toMatch(new RegExp(`(?<![0-9a-f])${postal_code}(?![0-9a-f])`));
    expect(/[\w.+-]+@[\w-]+\.\w/.exec(sent)).toBeNull();
    const name = createHash('sha256').update(cart.id).digest('hex').slice(0, 8);
    expect(sent).toContain(`/carts/${name}/no-such-thing`);
  });
});
