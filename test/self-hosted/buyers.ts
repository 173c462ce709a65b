import { setTimeout as sleep } from 'node:timers/promises';
import { ADDRESS, call, type Json, pay, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

/** One request as its client saw it; times are milliseconds of the epoch. */
export interface Sent {
  method: string;
  path: string;
  key: string;
  /** 0: the connection broke. */
  status: number;
  startedAtMs: number;
  endedAtMs: number;
}

export interface Buyers {
  sent: Sent[];
  /** Ids of the orders that were acknowledged with 201, in that order. */
  orders: string[];
  /** Requests with no answer that counts: the connection broke, or a 5xx. */
  failures(): Sent[];
  /** Resolves when everybody has got what they were at; rejects with the first surprise. */
  stop(): Promise<void>;
}

const PAUSE_MS = 250;
const TRIES_MAX = 200;

/** So many at once, each buying one thing after the other: browse, cart, address, shipping, order, read it back. */
export function startBuyers(shop: Stack, skuIds: readonly string[], count: number): Buyers {
  const sent: Sent[] = [];
  const orders: string[] = [];
  const stopping = new AbortController();

  const once = async (method: string, path: string, key: string, body?: Json, headers = {}): Promise<Reply | null> => {
    const entry: Sent = { method, path, key, status: 0, startedAtMs: Date.now(), endedAtMs: 0 };
    try {
      const reply = await call(shop, method, path, body, { headers, ...(method !== 'GET' && { key }) });
      entry.status = reply.status;
      return reply;
    } catch {
      return null;
    } finally {
      entry.endedAtMs = Date.now();
      sent.push(entry);
    }
  };

  /** As the problem of a lost request says: again, under the same key. */
  const send = async (method: string, path: string, key: string, body?: Json, headers = {}): Promise<Reply> => {
    for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
      const reply = await once(method, path, key, body, headers);
      const isAnswer = reply !== null && reply.status < 500 && reply.body?.code !== 'idempotency_in_flight';
      if (isAnswer) return reply;
      await sleep(PAUSE_MS);
    }
    throw new Error(`no answer to ${method} ${path}`);
  };

  const want = async (status: number, asked: Promise<Reply>): Promise<Json> => {
    const reply = await asked;
    if (reply.status !== status) throw new Error(`wanted ${status}, got ${reply.status}: ${reply.text}`);
    return reply.body;
  };

  const readyCart = async (name: string): Promise<Json> => {
    const sku_id = skuIds[sent.length % skuIds.length];
    const details = {
      market: 'us',
      items: [{ sku_id, quantity: 1 }],
      email: 'ada@example.test',
      shipping_address: ADDRESS,
    };
    const cart = await want(201, send('POST', '/carts?expand=shipping_options', `cart-${name}`, details));
    const chosen = { shipping_option_id: cart.shipping_options[0].id };
    return await want(200, send('PATCH', `/carts/${cart.id}`, `ship-${name}`, chosen));
  };

  const buy = async (name: string): Promise<void> => {
    await want(200, send('GET', '/products?limit=2', `list-${name}`));
    const cart = await readyCart(name);
    const placed = await want(
      201,
      send('POST', '/orders', `order-${name}`, { cart_id: cart.id, payment: pay('tok_ok') }),
    );
    orders.push(placed.id);
    const headers = { 'x-order-token': placed.guest_token };
    const read = await want(200, send('GET', `/orders/${placed.id}`, `read-${name}`, undefined, headers));
    if (read.status !== 'confirmed') throw new Error(`not confirmed: ${JSON.stringify(read)}`);
  };

  const everybody = Array.from({ length: count }, async (_each, buyer) => {
    for (let i = 0; !stopping.signal.aborted; i += 1) await buy(`${buyer}-${i}`);
  });
  const ended = Promise.all(everybody);
  ended.catch(() => stopping.abort());

  return {
    sent,
    orders,
    failures: () => sent.filter(({ status }) => status === 0 || status >= 500),
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
