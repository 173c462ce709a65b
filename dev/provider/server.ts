import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { authenticationPage } from './bank-page.ts';
import { Book, metadataOf } from './book.ts';
import { IdempotencyKeys, type Reply } from './idempotency.ts';
import { type Page, pageOf } from './pages.ts';
import { type Script, takeScript } from './script.ts';
import { type Charge, invalid, Refusal } from './shapes.ts';
import { WEBHOOK_MODES, type WebhookEvent, type WebhookMode, Webhooks } from './webhooks.ts';

export interface TestProvider {
  url: string;
  /** Every intent with its payment id and amounts. */
  charges(): Charge[];
  /** Every event so far, oldest first, delivered or not. */
  events(): WebhookEvent[];
  script(script: Script): void;
  setWebhookUrl(url: string): void;
  setWebhookMode(mode: WebhookMode): void;
  /** Sends what is held, and resolves when every delivery has ended. */
  flushWebhooks(): Promise<void>;
  close(): Promise<void>;
}

export interface TestProviderOptions {
  /** 0 or absent: any free port. */
  port?: number;
  apiKey: string;
  webhookSecret: string;
  webhookUrl?: string;
}

interface Provider {
  apiKey: string;
  book: Book;
  keys: IdempotencyKeys;
  webhooks: Webhooks;
  scripts: Script[];
  closing: AbortController;
}

/** `keeps`: its key repeats it, though it is a fault. */
type Worked = Reply & { keeps?: boolean | undefined };

interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  body: string;
  params: URLSearchParams;
  key: string | undefined;
}

const BODY_LIMIT_BYTES = 64 * 1024;
const TIMEOUT_TOKEN_HOLD_MS = 120_000;
const FAILED: Reply = { status: 500, body: { error: { type: 'api_error', message: 'The provider failed.' } } };

/**
 * A payment provider in the shape of Stripe's PaymentIntents, for the local stack and the tests: charges
 * nobody, keeps everything in memory, and can be scripted to fail. Rejects when the port is taken.
 */
export async function startTestProvider(options: TestProviderOptions): Promise<TestProvider> {
  let url = '';
  const webhooks = new Webhooks(options.webhookSecret, options.webhookUrl);
  const book = new Book(
    () => url,
    (type, intent) => webhooks.emit(type, intent),
  );
  const closing = new AbortController();
  const keys = new IdempotencyKeys();
  const provider: Provider = { apiKey: options.apiKey, book, keys, webhooks, scripts: [], closing };
  const server = createServer((request, response) => void serve(provider, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return {
    url,
    charges: () => book.charges(),
    events: () => [...webhooks.events],
    script: (script) => void provider.scripts.push(script),
    setWebhookUrl: (target) => void (webhooks.url = target),
    setWebhookMode: (mode) => void (webhooks.mode = mode),
    flushWebhooks: () => webhooks.flush(),
    close: async () => {
      closing.abort();
      await webhooks.close();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const call = await readCall(request);
    const page = call.path.startsWith('/authenticate/') ? authenticationPage(provider.book, call) : undefined;
    if (page !== undefined) {
      response.writeHead(page.status, { 'content-type': 'text/html; charset=utf-8' }).end(page.html);
      return;
    }
    if (request.headers.authorization !== `Bearer ${provider.apiKey}`) {
      throw new Refusal(401, { type: 'invalid_request_error', message: 'No such API key.' });
    }
    if (call.path.startsWith('/_')) {
      send(response, await control(provider, call));
      return;
    }
    await serveApi(provider, call, response);
  } catch (error) {
    if (error instanceof Refusal) send(response, { status: error.status, body: { error: error.error } });
    else send(response, FAILED);
  }
}

async function serveApi(provider: Provider, call: Call, response: ServerResponse): Promise<void> {
  const script = takeScript(provider.scripts, call);
  const reply = await onceForKey(provider, call, async () => {
    await pause(provider, script?.delay_ms ?? 0);
    const keeps = script?.keep_error;
    if (script?.status !== undefined) return { status: script.status, body: script.body ?? {}, keeps };
    const acted = act(provider, call);
    return keeps === true ? { ...FAILED, keeps } : acted;
  });
  if (script?.lose_reply === true) {
    response.destroy();
    return;
  }
  const first = reply.replayed === undefined && call.params.get('payment_method') === 'tok_timeout';
  if (first) await pause(provider, TIMEOUT_TOKEN_HOLD_MS);
  if (reply.replayed) response.setHeader('idempotent-replayed', 'true');
  send(response, reply);
}

/** Stored: what succeeded, and a declined card. Not stored: faults, unless a script says so; a retry can go on. */
async function onceForKey(
  provider: Provider,
  call: Call,
  work: () => Promise<Worked>,
): Promise<Reply & { replayed?: true }> {
  const key = call.method === 'POST' ? call.key : undefined;
  if (key === undefined) return work().catch(refusalAsReply);
  const sorted = new URLSearchParams(call.params);
  sorted.sort();
  const stored = provider.keys.claim(key, `${call.path}?${sorted.toString()}`);
  if (stored !== undefined) return { ...stored, replayed: true };
  try {
    const { keeps = false, ...reply }: Worked = await work().catch(refusalAsReply);
    if (keeps || reply.status < 300 || reply.status === 402) provider.keys.store(key, reply);
    return reply;
  } finally {
    provider.keys.release(key);
  }
}

function refusalAsReply(error: unknown): Reply {
  if (error instanceof Refusal) return { status: error.status, body: { error: error.error } };
  throw error;
}

function act({ book, keys, webhooks }: Provider, call: Call): Reply {
  const event = webhooks.events.find(({ id: eventId }) => call.path === `/v1/events/${eventId}`);
  const [, search, id = '', verb = search ?? ''] =
    /^\/v1\/payment_intents\/(?:(search)|([^/]+)(?:\/(capture|cancel))?)$/.exec(call.path) ?? [];
  switch (`${call.method} ${id + verb === '' ? call.path : `intent ${verb}`.trim()}`) {
    case 'POST /v1/payment_intents':
      if (call.params.get('payment_method') === 'tok_error' && keys.firstFailure(call.key)) {
        throw new Refusal(500, { type: 'api_error', message: 'Nothing was charged. Try again.' });
      }
      return ok(book.create(call.params));
    case 'GET intent search':
      return ok(list(book.list(queryOf(call.query.get('query') ?? ''))));
    case 'GET /v1/payment_intents':
      return ok(list(book.list(metadataOf(call.query))));
    case 'GET intent':
      return ok(book.get(id));
    case 'POST intent capture':
      return ok(book.capture(id, call.params));
    case 'POST intent cancel':
      return ok(book.cancel(id));
    case 'POST /v1/refunds':
      return ok(book.refund(call.params));
    case 'GET /v1/refunds':
      return ok(pageOf(book.refundsOf(call.query.get('payment_intent') ?? ''), call.query));
    case 'GET /v1/events':
      return ok(list([...webhooks.events].reverse()));
    case `GET /v1/events/${event?.id}`:
      return ok(event);
    default:
      throw unknownUrl(call);
  }
}

/** The remote control of the tests; the same as the methods of TestProvider. */
async function control({ book, scripts, webhooks }: Provider, call: Call): Promise<Reply> {
  switch (`${call.method} ${call.path}`) {
    case 'GET /_charges':
      return ok({ data: book.charges() });
    case 'POST /_disputes':
      return ok(book.dispute(new URLSearchParams(call.body)));
    case 'POST /_disputes/close': {
      const { id, status }: { id: string; status: 'won' | 'lost' } = parseJson(call.body);
      return ok(book.closeDispute(id, status));
    }
    case 'POST /_refunds/close':
    case 'POST /_payments/close': {
      const { id, status }: { id: string; status: 'succeeded' | 'failed' } = parseJson(call.body);
      return ok(call.path === '/_refunds/close' ? book.closeRefund(id, status) : book.closePayment(id, status));
    }
    case 'POST /_script':
      scripts.push(readScript(call.body));
      return ok({});
    case 'POST /_webhooks':
      webhooks.mode = readMode(call.body);
      return ok({});
    case 'POST /_webhooks/flush':
      await webhooks.flush();
      return ok({});
    default:
      throw unknownUrl(call);
  }
}

/** Of the query language the one question that a shop asks: `metadata['key']:'value'`. */
function queryOf(query: string): Record<string, string> {
  const [, key, value] = /^metadata\['([^']+)'\]:'([^']*)'$/.exec(query) ?? [];
  if (key === undefined || value === undefined) throw invalid('query', "Only metadata['key']:'value'.");
  return { [key]: value };
}

function unknownUrl(call: Call): Refusal {
  return new Refusal(404, { type: 'invalid_request_error', message: `Unknown: ${call.method} ${call.path}` });
}

function readScript(body: string): Script {
  const script: Script = parseJson(body);
  if (typeof script !== 'object' || script === null || typeof script.match !== 'object') {
    throw invalid('match', 'A script has a match.');
  }
  return script;
}

function readMode(body: string): WebhookMode {
  const { mode }: { mode: WebhookMode } = parseJson(body) ?? {};
  if (!WEBHOOK_MODES.includes(mode)) throw invalid('mode', `One of ${WEBHOOK_MODES.join(', ')}.`);
  return mode;
}

function parseJson(body: string): ReturnType<typeof JSON.parse> {
  try {
    return JSON.parse(body);
  } catch {
    throw invalid('body', 'Not JSON.');
  }
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const url = new URL(request.url ?? '/', 'http://provider');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > BODY_LIMIT_BYTES) throw new Refusal(413, { type: 'invalid_request_error', message: 'Too large.' });
    chunks.push(bytes);
  }
  const body = Buffer.concat(chunks).toString('utf8');
  const key = request.headers['idempotency-key'];
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    body,
    params: new URLSearchParams(body),
    key: Array.isArray(key) ? key[0] : key,
  };
}

function pause(provider: Provider, ms: number): Promise<void> {
  return ms === 0
    ? Promise.resolve()
    : sleep(ms, undefined, { signal: provider.closing.signal, ref: false }).catch(() => undefined);
}

function ok(body: unknown): Reply {
  return { status: 200, body: structuredClone(body) };
}

function list(data: unknown[]): Page {
  return { object: 'list', data, has_more: false };
}

function send(response: ServerResponse, reply: Reply): void {
  if (response.destroyed) return;
  response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
}
