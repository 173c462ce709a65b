export interface OtlpTarget {
  url: string;
  headers: Readonly<Record<string, string>>;
  wait: (ms: number) => Promise<void>;
}

const TRIES_MAX = 3;
const TIMEOUT_MS = 3_000;
const RETRY_DELAY_MS = 250;
/** The answers that OTLP/HTTP calls retryable. */
const RETRYABLE = new Set([429, 502, 503, 504]);

/**
 * POSTs an ExportTraceServiceRequest; false when it was refused or nobody answered. Every try is bounded, and so is their
 * number: traces are worth some seconds of a deferred task, never more.
 */
export async function postTraces({ url, headers, wait }: OtlpTarget, body: string): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    const status = await tryPost(url, headers, body);
    if (status !== null && !RETRYABLE.has(status)) return status >= 200 && status < 300;
    if (tries === TRIES_MAX) return false;
    await wait(RETRY_DELAY_MS * tries);
  }
}

/** The status, or null when there was no answer in time. */
async function tryPost(url: string, headers: OtlpTarget['headers'], body: string): Promise<number | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return null;
  }
}
