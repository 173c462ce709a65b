import http from 'node:http';

/** What came back. `status` is null when the connection broke or nothing came in time. */
export interface Answer {
  status: number | null;
  headers: http.IncomingHttpHeaders;
  text: string;
}

export interface Sample {
  path: string;
  /** By performance.now(): when it should have been sent, and how long until its answer from then on. */
  atMs: number;
  tookMs: number;
  status: number | null;
}

export interface Traffic {
  requests: number;
  /** 5xx, and connections that broke. */
  failures: number;
  p50Ms: number;
  p95Ms: number;
}

export interface Asked {
  method?: 'GET' | 'POST';
  body?: unknown;
  key?: string;
  token?: string;
  /** The client's address, for a Worker that trusts x-real-ip. */
  address?: string;
  /** performance.now() at which it was due; its wait until it could be sent counts too. */
  dueMs?: number;
}

export interface Client {
  /** Every answer so far, in the order in which they came. */
  samples: Sample[];
  send(url: URL, asked?: Asked): Promise<Answer>;
  /** Notes a request that was due then and that nobody had the patience to send. */
  giveUp(dueMs: number): void;
  close(): void;
}

const CONNECTIONS_MAX = 256;
const TIMEOUT_MS = 30_000;
/** workerd closes a connection that is idle for 5 s: none may be reused while it does. */
const IDLE_MS = 2_000;

/** A client that keeps its connections and remembers how long each answer took. It never throws on an answer. */
export function createClient(): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: IDLE_MS });
  const samples: Sample[] = [];
  return {
    samples,
    async send(url, asked = {}) {
      const atMs = asked.dueMs ?? performance.now();
      const answer = await exchange(agent, url, asked);
      samples.push({ path: url.pathname, atMs, tookMs: performance.now() - atMs, status: answer.status });
      return answer;
    },
    giveUp(dueMs) {
      samples.push({ path: '', atMs: dueMs, tookMs: TIMEOUT_MS, status: null });
    },
    close: () => agent.destroy(),
  };
}

function exchange(agent: http.Agent, url: URL, asked: Asked): Promise<Answer> {
  const { method = 'GET', body, key, token, address } = asked;
  const payload = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    ...(payload !== '' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    ...(key !== undefined && { 'idempotency-key': key }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(address !== undefined && { 'x-real-ip': address }),
  };
  return new Promise((resolve) => {
    const broken = () => resolve({ status: null, headers: {}, text: '' });
    const request = http.request(url, { method, agent, headers, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', broken);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? null, headers: response.headers, text });
      });
    });
    request.on('timeout', () => request.destroy()).on('error', broken);
    request.end(payload);
  });
}

const isFailure = ({ status }: Sample): boolean => status === null || status >= 500;

export function trafficOf(samples: readonly Sample[]): Traffic {
  const sorted = Float64Array.from(samples, ({ tookMs }) => tookMs).sort();
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return {
    requests: samples.length,
    failures: samples.filter(isFailure).length,
    p50Ms: quantile(0.5),
    p95Ms: quantile(0.95),
  };
}

/** How often each status came, the commonest first, such as `201 x 50, broken x 2`. */
export function statusesOf(answers: readonly { status: number | null }[]): string {
  const counts = new Map<string, number>();
  for (const { status } of answers) {
    const name = status === null ? 'broken' : String(status);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return (
    [...counts]
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} x ${count}`)
      .join(', ') || 'nothing'
  );
}
