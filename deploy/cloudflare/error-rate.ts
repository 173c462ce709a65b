/** Sums over all isolates and both versions since the shop was born. */
export interface Counts {
  requests: number;
  /** Answered with a 5xx. */
  errors: number;
}

const SERIES = /^(ecommerce_http_(?:requests|errors)_total)(?:\{.*\})? (\S+)/;
/** Fewer than this is chance: one failed request of the twenty that came is no reason to go back. */
const ERRORS_MIN = 3;
const TIMEOUT_MS = 10_000;
const TRIES = 3;
const RETRY_MS = 2_000;

/** The counts as /metrics tells them now. Throws Error when three tries in a row fail. */
export async function scrape(url: string, token: string): Promise<Counts> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(`${url}/metrics`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
      return countsOf(await response.text());
    } catch (cause) {
      if (attempt === TRIES) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`The error rate cannot be seen: ${why}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Reads Prometheus' text format, of which only two families matter here. */
export function countsOf(text: string): Counts {
  const counts = { requests: 0, errors: 0 };
  for (const line of text.split('\n')) {
    const [, name, value] = SERIES.exec(line) ?? [];
    if (name === 'ecommerce_http_requests_total') counts.requests += Number(value);
    if (name === 'ecommerce_http_errors_total') counts.errors += Number(value);
  }
  return counts;
}

/** What came between two scrapes; a counter that went back started anew. */
export function between(before: Counts, after: Counts): Counts {
  const since = (name: keyof Counts) => (after[name] < before[name] ? after[name] : after[name] - before[name]);
  return { requests: since('requests'), errors: since('errors') };
}

export interface Verdict {
  isTooHigh: boolean;
  /** Estimated fraction of the new version's requests that failed beyond what failed before it. */
  rate: number;
}

/**
 * Counts are of both versions together, so what the old one fails at is taken away first: `before` is what came while it
 * served alone. `share` is the new version's fraction of the requests. With 10 % of the traffic 1 % of the new version's
 * requests is 0.1 % of all, which a threshold on the sum would never see.
 */
export function judge({ before, now, share, threshold }: Watched): Verdict {
  const usual = before.requests === 0 ? 0 : before.errors / before.requests;
  const ownRequests = now.requests * share;
  const ownErrors = now.errors - usual * now.requests;
  const rate = ownRequests === 0 ? 0 : Math.min(Math.max(ownErrors / ownRequests, 0), 1);
  return { rate, isTooHigh: ownErrors >= ERRORS_MIN && rate > threshold };
}

export interface Watched {
  before: Counts;
  now: Counts;
  share: number;
  threshold: number;
}
