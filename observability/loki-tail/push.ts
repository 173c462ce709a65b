import type { Stream } from './streams.ts';

export interface LokiTarget {
  /** Such as https://logs-prod-012.grafana.net/loki/api/v1/push */
  LOKI_URL: string;
  LOKI_USERNAME?: string;
  LOKI_PASSWORD?: string;
}

const TRIES_MAX = 4;
const TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 500;
/** Whatever Retry-After says: what waits is held in memory. */
const WAIT_MS_MAX = 5_000;
const REASON_MAX = 300;

/** Loki's 429 and 5xx pass; any other refusal would be the same again. */
const isPassing = (status: number): boolean => status === 429 || status >= 500;

/** Rejects when Loki has not taken it after all tries, or refuses it for good. */
export async function push(streams: readonly Stream[], target: LokiTarget): Promise<void> {
  const body = await gzip(JSON.stringify({ streams }));
  for (let attempt = 1; ; attempt += 1) {
    const { fault, retryInMs } = await send(body, target);
    if (fault === null) return;
    if (retryInMs === null || attempt === TRIES_MAX) throw new Error(fault);
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(retryInMs, FIRST_WAIT_MS * 2 ** (attempt - 1)));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** `retryInMs` is null when there is no use in trying again, 0 when Loki does not say how long to wait. */
async function send(
  body: ArrayBuffer,
  target: LokiTarget,
): Promise<{ fault: string | null; retryInMs: number | null }> {
  const { LOKI_URL, LOKI_USERNAME, LOKI_PASSWORD = '' } = target;
  let response: Response;
  try {
    response = await fetch(LOKI_URL, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        ...(LOKI_USERNAME !== undefined && { authorization: `Basic ${btoa(`${LOKI_USERNAME}:${LOKI_PASSWORD}`)}` }),
      },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    return { fault: `Loki did not answer: ${error instanceof Error ? error.message : 'unknown'}`, retryInMs: 0 };
  }
  if (response.ok) {
    await response.body?.cancel();
    return { fault: null, retryInMs: null };
  }
  const reason = await response.text().catch(() => '');
  const fault = `Loki answered ${response.status}: ${reason.slice(0, REASON_MAX)}`;
  const retryAfterS = Number(response.headers.get('retry-after') ?? 0);
  return { fault, retryInMs: isPassing(response.status) ? 1000 * (retryAfterS || 0) : null };
}

async function gzip(text: string): Promise<ArrayBuffer> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'));
  return await new Response(packed).arrayBuffer();
}
