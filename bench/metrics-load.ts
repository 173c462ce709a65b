import { setTimeout as sleep } from 'node:timers/promises';
import type { Isolates } from './metrics-isolates.ts';

const CONCURRENCY = 64;
const PATH = '/health/live';
const WATCH_EVERY_MS = 100;
/** Longer than a flush goes on trying, so that it gives up and a later one has to send its batch. */
const DOWN_MS = 1_500;
/** Two flush intervals: whatever still comes has come. */
const QUIET_MS = 2_500;
const SETTLE_TRIES = 100;
const SETTLE_EVERY_MS = 200;

export interface LoadOptions {
  requests: number;
  /** Over which the requests are spread, at least. */
  seconds: number;
  /** How often the object's process is killed, evenly spread over the requests. */
  kills: number;
  onSent?: (sent: number) => void;
}

export interface LoadResult {
  /** Requests answered 200. */
  sent: number;
  /** Requests in the scrape when nothing more came. */
  counted: number;
  /** The same in the histogram of durations. */
  observed: number;
  /** Batches taken in, and those that came again and were dropped. */
  flushes: number;
  duplicates: number;
  isolates: number;
  kills: number;
  /** Scrapes during the load: how many got no answer, and how many read less than one before them. */
  unanswered: number;
  wentBack: number;
  /** Until the last count was in. */
  seconds: number;
}

/** Sends the load, kills the object's process on the way, and reads what was counted once it no longer changes. */
export async function runLoad(shop: Isolates, options: LoadOptions): Promise<LoadResult> {
  const startedAt = performance.now();
  const progress = { sent: 0, isOver: false };
  const watching = watch(shop, progress);
  const killing = killDuring(shop, options, progress);
  try {
    await send(shop, options, progress);
    await killing;
  } finally {
    progress.isOver = true;
  }
  const watched = await watching;
  const text = await settled(shop, options.requests);
  return {
    ...watched,
    sent: progress.sent,
    counted: counted(text),
    observed: sample(text, `ecommerce_http_request_duration_seconds_count{method="GET",route="${PATH}"}`),
    flushes: sample(text, 'ecommerce_runtime_flushes_total'),
    duplicates: sample(text, 'ecommerce_runtime_flush_duplicates_total'),
    isolates: sample(text, 'ecommerce_runtime_isolates'),
    kills: options.kills,
    seconds: (performance.now() - startedAt) / 1000,
  };
}

type Progress = { sent: number; isOver: boolean };

/** Rounds of as many requests as there are clients, each round at its time or as soon as the round before lets it. */
async function send({ urls }: Isolates, { requests, seconds, onSent }: LoadOptions, progress: Progress): Promise<void> {
  const startedAt = performance.now();
  const roundMs = (1000 * seconds * CONCURRENCY) / requests;
  let next = 0;
  const client = async () => {
    while (next < requests) {
      const n = next++;
      const waitMs = startedAt + Math.floor(n / CONCURRENCY) * roundMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const reply = await fetch(new URL(PATH, urls[n % urls.length]));
      await reply.arrayBuffer();
      if (reply.status !== 200) throw new Error(`${PATH} answered ${reply.status}`);
      progress.sent += 1;
      onSent?.(progress.sent);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

async function killDuring({ aggregator }: Isolates, options: LoadOptions, progress: Progress): Promise<void> {
  for (let kill = 1; kill <= options.kills; kill += 1) {
    const mark = (options.requests * kill) / (options.kills + 1);
    while (progress.sent < mark && !progress.isOver) await sleep(5);
    if (progress.isOver) return;
    await aggregator.kill();
    await sleep(DOWN_MS);
    await aggregator.restart();
  }
}

/** Scrapes through the load as Prometheus would, only more often. */
async function watch(shop: Isolates, progress: Progress): Promise<Pick<LoadResult, 'unanswered' | 'wentBack'>> {
  let [highest, unanswered, wentBack] = [0, 0, 0];
  while (!progress.isOver) {
    const text = await shop.scrape();
    const read = text === null ? null : counted(text);
    if (read === null) unanswered += 1;
    else if (read < highest) wentBack += 1;
    highest = Math.max(highest, read ?? 0);
    await sleep(WATCH_EVERY_MS);
  }
  return { unanswered, wentBack };
}

/** The exposition once `total` is reached and time has passed in which more would have come, or when it never is. */
async function settled(shop: Isolates, total: number): Promise<string> {
  for (let tries = 0; tries < SETTLE_TRIES; tries += 1) {
    // An isolate whose batch was not acknowledged sends it again behind its next request, whatever that is.
    await Promise.all(shop.urls.map(async (url) => await (await fetch(new URL('/nothing', url))).arrayBuffer()));
    if (counted((await shop.scrape()) ?? '') >= total) break;
    await sleep(SETTLE_EVERY_MS);
  }
  await sleep(QUIET_MS);
  const text = await shop.scrape();
  if (text === null) throw new Error('the object does not answer');
  return text;
}

function counted(text: string): number {
  return sample(text, `ecommerce_http_requests_total{method="GET",route="${PATH}",status="200"}`);
}

/** 0 when the series is not there yet. */
function sample(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}
