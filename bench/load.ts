import http from 'node:http';

export interface Load {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

export interface LoadOptions {
  connections: number;
  warmUpMs: number;
  durationMs: number;
  /** A Unix socket to send to, whatever host the address names. */
  socketPath?: string;
}

/**
 * Sends GET requests over kept-alive connections, each waiting for its reply before the next, and counts those that
 * end after the warm-up. `urlOf` gives the address of the nth request. Throws on any status but 200.
 */
export async function load(urlOf: (n: number) => URL, options: LoadOptions): Promise<Load> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: options.connections });
  const countFrom = performance.now() + options.warmUpMs;
  const end = countFrom + options.durationMs;
  const latenciesMs: number[] = [];
  let sent = 0;
  const connection = async () => {
    for (let start = performance.now(); start < end; start = performance.now()) {
      await get(urlOf(sent++), agent, options.socketPath);
      const now = performance.now();
      if (now >= countFrom && now < end) latenciesMs.push(now - start);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.connections }, connection));
  } finally {
    agent.destroy();
  }
  const sorted = Float64Array.from(latenciesMs).sort();
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return {
    requestsPerSecond: (1000 * sorted.length) / options.durationMs,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

/** Sends `count` GET requests over kept-alive connections. Throws on any status but 200. */
export async function send(urlOf: (n: number) => URL, count: number, connections: number): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  let sent = 0;
  const connection = async () => {
    while (sent < count) await get(urlOf(sent++), agent);
  };
  try {
    await Promise.all(Array.from({ length: connections }, connection));
  } finally {
    agent.destroy();
  }
}

function get(url: URL, agent: http.Agent, socketPath?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, ...(socketPath !== undefined && { socketPath }) }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url.pathname} answered ${response.statusCode}`));
      response.on('end', resolve).on('error', reject).resume();
    });
    request.on('error', reject);
  });
}
