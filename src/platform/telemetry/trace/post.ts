/** `unreachable`: no answer, one of a server at fault (Cloudflare answers 52x for an origin that is gone), or only "later". */
export type PostOutcome = 'taken' | 'refused' | 'unreachable';

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
 * POSTs an ExportTraceServiceRequest; never rejects. Every try is bounded, and so is their number: traces are worth some
 * seconds of a deferred task, never more.
 */
export async function postTraces({ url, headers, wait }: OtlpTarget, body: string): Promise<PostOutcome> {
  for (let tries = 1; ; tries += 1) {
    const status = await tryPost(url, headers, body);
    if (status !== null && !RETRYABLE.has(status)) return outcomeOf(status);
    if (tries === TRIES_MAX) return 'unreachable';
    await wait(RETRY_DELAY_MS * tries);
  }
}

function outcomeOf(status: number): PostOutcome {
  if (status >= 500) return 'unreachable';
  return status >= 200 && status < 300 ? 'taken' : 'refused';
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
