import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startTestProvider, type TestProvider } from '../../dev/provider/server.ts';

const API_KEY = 'sk_test_of_this_file';
const WEBHOOK_SECRET = 'whsec_of_this_file';

export interface ProviderReply {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- a JSON reply that each test reads its own part of
  body: any;
}

export interface Received {
  id: string;
  type: string;
  status: string;
  signatureValid: boolean;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** Statuses of the next replies; 200 when used up. */
  refuse: number[];
  close(): Promise<void>;
}

export function startProvider(webhookUrl?: string): Promise<TestProvider> {
  const options = { apiKey: API_KEY, webhookSecret: WEBHOOK_SECRET };
  return startTestProvider(webhookUrl === undefined ? options : { ...options, webhookUrl });
}

/** A form-encoded call, as the Worker's client makes it. */
export async function call(
  provider: TestProvider,
  path: string,
  params?: Record<string, string>,
  key?: string,
): Promise<ProviderReply> {
  const headers: Record<string, string> = { authorization: `Bearer ${API_KEY}` };
  if (key !== undefined) headers['idempotency-key'] = key;
  const init = params === undefined ? { headers } : { method: 'POST', headers, body: new URLSearchParams(params) };
  const reply = await fetch(provider.url + path, init);
  return { status: reply.status, body: await reply.json() };
}

export function intentParams(token: string, more: Record<string, string> = {}): Record<string, string> {
  const metadata = { 'metadata[payment_id]': 'pay_1', 'metadata[order_id]': 'order_1' };
  return { amount: '4200', currency: 'usd', payment_method: token, confirm: 'true', ...metadata, ...more };
}

/** What the Worker's webhook route would be: checks the signature and remembers. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const refuse: number[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const event = JSON.parse(body);
    const signatureValid = isSigned(body, String(request.headers['test-signature']));
    received.push({ id: event.id, type: event.type, status: event.data.object.status, signatureValid });
    response.writeHead(refuse.shift() ?? 200).end();
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    refuse,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

function isSigned(body: string, header: string): boolean {
  const [, time = '', mac = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  const wanted = createHmac('sha256', WEBHOOK_SECRET).update(`${time}.${body}`).digest();
  return mac !== '' && timingSafeEqual(wanted, Buffer.from(mac, 'hex'));
}
