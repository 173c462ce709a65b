import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Sample } from './client.ts';

/** So many requests a second for so long, as `times` times as many people as usual send them. */
export interface Phase {
  name: string;
  seconds: number;
  times: number;
}

export interface Arrival {
  /** From the start of the first phase. */
  atMs: number;
  /** Counts from 0 in each phase. */
  nth: number;
  /** Whose request it is. */
  address: string;
}

/** People of a phase that is once as busy as usual, for each request a second. */
const PEOPLE_PER_RATE = 2;
/** Of those who wait, beyond which the next one leaves: a queue in the client would measure the client. */
const WAITING_MAX = 500;

/** When each request is due, whether or not those before it were answered; `rate` requests a second are usual. */
export function arrivalsOf(phases: readonly Phase[], rate: number): Arrival[] {
  let fromS = 0;
  return phases.flatMap(({ seconds, times }, phase) => {
    const beginMs = 1000 * fromS;
    fromS += seconds;
    // One more, so that nobody asks for the same page each time.
    const people = PEOPLE_PER_RATE * rate * times + 1;
    return Array.from({ length: seconds * times * rate }, (_none, nth) => ({
      atMs: beginMs + (1000 * nth) / (times * rate),
      nth,
      address: `10.${phase + 1}.${(nth % people) >> 8}.${(nth % people) & 255}`,
    }));
  });
}

/** Sends each at its time; resolves when the last is answered. Answers by performance.now() when it began. */
export async function arrive(
  arrivals: readonly Arrival[],
  client: Client,
  send: (arrival: Arrival, dueMs: number) => Promise<unknown>,
  progress: (share: number) => void,
): Promise<number> {
  const startMs = performance.now();
  const sent: Promise<unknown>[] = [];
  let waiting = 0;
  for (const [at, arrival] of arrivals.entries()) {
    const dueMs = startMs + arrival.atMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    progress(at / arrivals.length);
    if (waiting >= WAITING_MAX) {
      client.giveUp(dueMs);
      continue;
    }
    waiting += 1;
    sent.push(send(arrival, dueMs).finally(() => (waiting -= 1)));
  }
  await Promise.all(sent);
  return startMs;
}

/** What was due in each phase, in their order. */
export function byPhase(phases: readonly Phase[], samples: readonly Sample[], startMs: number): Sample[][] {
  let toMs = startMs;
  return phases.map(({ seconds }) => {
    const fromMs = toMs;
    toMs += 1000 * seconds;
    return samples.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  });
}
