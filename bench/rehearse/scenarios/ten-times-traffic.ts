import { setTimeout as sleep } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { audit } from '../books.ts';
import { type Buyer, createBuyers, createGoods, order } from '../buyers.ts';
import { type Answer, type Client, createClient, type Sample, statusesOf, trafficOf } from '../client.ts';
import { drawTraffic, type Second } from '../plot.ts';
import { check, type Scenario } from '../scenario.ts';
import { handlesOf } from '../stage.ts';

const BASE_RATE = 20;
const TIMES = 10;
/** Seconds of the calm before, of the rush and of the calm after: 60 in all. */
const [BEFORE_S, RUSH_S, AFTER_S] = [12, 36, 12];
const VISITORS_BASE = 40;
const CRAWLER_PER_S = 5;
/** A minute's limit for one address, as it is by default; the crawler asks three times as often. */
const LIMIT = 100;
/** The objective of observability/rules/slo.yml. */
const P95_MS_MAX = 300;
const PLOT = path.resolve(import.meta.dirname, '../../../observability/ten-times-traffic.svg');

/** Of twenty requests in turn: how a shop is mostly looked at, and sometimes bought from. */
const MIX = 'pplpppsplpppsplpplpo'.split('');

export const tenTimesTraffic: Scenario = {
  name: 'ten-times-traffic',
  what: `${BASE_RATE} requests/s, then ${TIMES} times as many from ${TIMES} times as many people, then ${BASE_RATE} again; limiter on, one crawler beside them`,
  secondsMax: 120,
  async run(stage, progress) {
    const shop = await stage.start({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PUBLIC: String(LIMIT) } });
    const arrivals = arrivalsOf();
    const wanted = arrivals.filter(({ kind }) => kind === 'o').length;
    const goods = await createGoods(stage, wanted);
    const buyers = createBuyers(goods, wanted);
    const handles = await handlesOf(stage);
    const [people, crawler] = [createClient(), createClient()];
    const startMs = performance.now();
    const over = new AbortController();
    const crawling = crawl(crawler, shop.url, over.signal);
    const ask = (arrival: Arrival, buyer: Buyer | undefined): Promise<Answer> => {
      const { kind, nth, address } = arrival;
      const dueMs = startMs + arrival.atMs;
      if (buyer !== undefined) return order(people, shop.url, Object.assign(buyer, { address }), dueMs);
      const page = PAGES[kind] ?? `/products/${handles[nth % handles.length]}`;
      return people.send(new URL(`/api/v1${page}`, shop.url), { address, dueMs });
    };
    const asked: Promise<Answer>[] = [];
    let nextBuyer = 0;
    for (const arrival of arrivals) {
      const waitMs = startMs + arrival.atMs - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      const buyer = arrival.kind === 'o' ? buyers[nextBuyer++] : undefined;
      asked.push(ask(arrival, buyer));
      progress(arrival.atMs / (1000 * (BEFORE_S + RUSH_S + AFTER_S)));
    }
    await Promise.all(asked);
    over.abort();
    await crawling;
    for (const client of [people, crawler]) client.close();
    await plot(people.samples, startMs);
    const phases = phasesOf(people.samples, startMs);
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    const limited = people.samples.filter(({ status }) => status === 429).length;
    const refused = crawler.samples.filter(({ status }) => status === 429).length;
    const rush = trafficOf(phases.rush);
    return {
      traffic: rush,
      orders,
      stockLeft,
      checks: [
        check(
          'nobody is turned away, nothing fails',
          statusesOf(people.samples),
          people.samples.every(({ status }) => status === 200 || status === 201),
        ),
        check(
          `p95 of the rush at most ${P95_MS_MAX} ms, waiting included (${trafficOf(phases.before).p95Ms.toFixed(0)} before)`,
          `${rush.p95Ms.toFixed(0)} ms`,
          rush.p95Ms <= P95_MS_MAX,
        ),
        check(
          `calm again afterwards: p95 at most ${P95_MS_MAX} ms`,
          `${trafficOf(phases.after).p95Ms.toFixed(0)} ms`,
          trafficOf(phases.after).p95Ms <= P95_MS_MAX,
        ),
        check(
          `on ${stage.redis.kind}: the crawler is limited, people are not`,
          `${refused} of ${crawler.samples.length}, ${limited} of ${people.samples.length}`,
          refused > 0 && limited === 0,
        ),
        check('every order that was asked for', orders, orders === wanted),
        ...checks,
      ],
    };
  },
};

const PAGES: Record<string, string> = {
  l: '/products?limit=20&in_stock=true',
  s: '/products?price_max=5000&sort=price&limit=20',
};

interface Arrival {
  /** From the start. */
  atMs: number;
  nth: number;
  /** p: a product, l: a list, s: the cheapest, o: an order. */
  kind: string;
  address: string;
}

/** When each request is due, whether or not those before it were answered. */
function arrivalsOf(): Arrival[] {
  const phases = [
    { fromS: 0, seconds: BEFORE_S, times: 1 },
    { fromS: BEFORE_S, seconds: RUSH_S, times: TIMES },
    { fromS: BEFORE_S + RUSH_S, seconds: AFTER_S, times: 1 },
  ];
  return phases.flatMap(({ fromS, seconds, times }, phase) =>
    Array.from({ length: seconds * times * BASE_RATE }, (_none, nth) => {
      const visitor = nth % (VISITORS_BASE * times);
      return {
        atMs: 1000 * fromS + (1000 * nth) / (times * BASE_RATE),
        nth,
        kind: MIX[nth % MIX.length] ?? 'p',
        address: `10.${phase + 1}.${visitor >> 8}.${visitor & 255}`,
      };
    }),
  );
}

/** One address that asks as if it were alone. */
async function crawl(client: Client, shop: URL, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await client.send(new URL('/api/v1/products?limit=5', shop), { address: '10.9.9.9' });
    await sleep(1000 / CRAWLER_PER_S);
  }
}

function phasesOf(samples: readonly Sample[], startMs: number) {
  const between = (fromS: number, toS: number) =>
    samples.filter(({ atMs }) => atMs - startMs >= 1000 * fromS && atMs - startMs < 1000 * toS);
  return {
    before: between(0, BEFORE_S),
    rush: between(BEFORE_S, BEFORE_S + RUSH_S),
    after: between(BEFORE_S + RUSH_S, BEFORE_S + RUSH_S + AFTER_S),
  };
}

async function plot(samples: readonly Sample[], startMs: number): Promise<void> {
  const seconds: Second[] = Array.from({ length: BEFORE_S + RUSH_S + AFTER_S }, (_none, second) => {
    const own = samples.filter(({ atMs }) => Math.floor((atMs - startMs) / 1000) === second);
    const { requests, p50Ms, p95Ms } = trafficOf(own);
    return { requests, p50Ms, p95Ms };
  });
  const { p95Ms } = trafficOf(phasesOf(samples, startMs).rush);
  await writeFile(
    PLOT,
    drawTraffic(seconds, {
      title: `Ten times the traffic: p95 ${p95Ms.toFixed(0)} ms, objective ${P95_MS_MAX} ms`,
      objectiveMs: P95_MS_MAX,
    }),
  );
}
