import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Arrival, arrivalsOf, arrive, BASE_RATE, byPhase, type Phase } from '../arrivals.ts';
import { audit } from '../books.ts';
import { createBuyers, createGoods, order } from '../buyers.ts';
import { type Client, createClient, type Sample, statusesOf, trafficOf } from '../client.ts';
import { drawTraffic, type Second } from '../plot.ts';
import { type Check, check, OBJECTIVE_MS, patienceMs, type Scenario } from '../scenario.ts';
import { handlesOf } from '../stage.ts';

const TIMES = 10;
/** A minute in all. */
const PHASES: readonly Phase[] = [
  { name: 'calm', seconds: 12, times: 1 },
  { name: 'rush', seconds: 36, times: TIMES },
  { name: 'calm again', seconds: 12, times: 1 },
];
const CRAWLER_PER_S = 5;
/** A minute's limit for one address, as it is by default; the crawler asks three times as often. */
const LIMIT = 100;
/** Of the rush against the calm, where even the calm is slow. */
const SLOWER_MAX = 3;
const PLOT = path.resolve(import.meta.dirname, '../../../observability/ten-times-traffic.svg');

const LIST = '/products?limit=20&in_stock=true';
const CHEAPEST = '/products?price_max=5000&sort=price&limit=20';
/** Of twenty requests in turn: how a shop is mostly looked at, and sometimes bought from. */
const MIX = ['one', 'one', LIST, 'one', 'one', 'one', CHEAPEST, 'one', 'one', LIST].flatMap((page, at) =>
  at === 9 ? [page, 'order'] : [page, 'one'],
);

export const tenTimesTraffic: Scenario = {
  name: 'ten-times-traffic',
  what: `${BASE_RATE} requests/s, then ${TIMES} times as many of ${TIMES} times as many people, then ${BASE_RATE} again; limiter on, beside them a crawler`,
  secondsMax: 90,
  async run(stage, progress) {
    const shop = await stage.start({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PUBLIC: String(LIMIT) } });
    const arrivals = arrivalsOf(PHASES);
    const wanted = arrivals.filter((arrival) => pageOf(arrival) === 'order').length;
    const goods = await createGoods(stage, wanted);
    const buyers = createBuyers(goods, wanted);
    const handles = await handlesOf(stage);
    const [people, crawler] = [createClient(), createClient()];
    const over = new AbortController();
    const crawling = crawl(crawler, shop.url, over.signal);
    let nextBuyer = 0;
    const send = (arrival: Arrival, dueMs: number): Promise<unknown> => {
      const { nth, address } = arrival;
      const page = pageOf(arrival);
      const buyer = page === 'order' ? buyers[nextBuyer++] : undefined;
      if (buyer !== undefined) return order(people, shop.url, Object.assign(buyer, { address }), dueMs);
      const target = page === 'one' ? `/products/${handles[nth % handles.length]}` : page;
      return people.send(new URL(`/api/v1${target}`, shop.url), { address, dueMs });
    };
    const startMs = await arrive(arrivals, people, send, progress).finally(() => over.abort());
    await crawling;
    for (const client of [people, crawler]) client.close();
    await plot(people.samples, startMs);
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    const [, rush = []] = byPhase(PHASES, people.samples, startMs);
    return {
      traffic: trafficOf(rush),
      orders,
      stockLeft,
      checks: [
        check('nobody is turned away, nothing fails', statusesOf(people.samples), people.samples.every(isServed)),
        ...speedChecks(people.samples, startMs),
        limitCheck(stage.redis.kind, crawler, people),
        check('every order that was asked for', orders, orders === wanted),
        ...checks,
      ],
    };
  },
};

const pageOf = ({ nth }: Arrival): string => MIX[nth % MIX.length] ?? 'one';
const isServed = ({ status }: Sample): boolean => status === 200 || status === 201;

/** One address that asks as if it were alone. */
async function crawl(client: Client, shop: URL, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await client.send(new URL('/api/v1/products?limit=5', shop), { address: '10.9.9.9' });
    await sleep(1000 / CRAWLER_PER_S);
  }
}

function speedChecks(samples: readonly Sample[], startMs: number): Check[] {
  const [calm = Number.NaN, rush = Number.NaN, after = Number.NaN] = byPhase(PHASES, samples, startMs).map(
    (phase) => trafficOf(phase).p95Ms,
  );
  const msMax = patienceMs(calm, SLOWER_MAX);
  const limit = `p95 at most ${msMax.toFixed(0)} ms, waiting included`;
  return [
    check(`in the rush: ${limit} (${calm.toFixed(0)} before)`, `${rush.toFixed(0)} ms`, rush <= msMax),
    check(`calm again: ${limit}`, `${after.toFixed(0)} ms`, after <= msMax),
  ];
}

function limitCheck(redis: string, crawler: Client, people: Client): Check {
  const limited = ({ samples }: Client) => samples.filter(({ status }) => status === 429).length;
  return check(
    `limits on ${redis}: they stop the crawler and nobody else`,
    `${limited(crawler)} of ${crawler.samples.length} and ${limited(people)} of ${people.samples.length}`,
    limited(crawler) > 0 && limited(people) === 0,
  );
}

async function plot(samples: readonly Sample[], startMs: number): Promise<void> {
  const length = PHASES.reduce((sum, { seconds }) => sum + seconds, 0);
  const seconds: Second[] = Array.from({ length }, (_none, second) =>
    trafficOf(samples.filter(({ atMs }) => Math.floor((atMs - startMs) / 1000) === second)),
  );
  const [, rush = []] = byPhase(PHASES, samples, startMs);
  const title = `Ten times the traffic: p95 ${trafficOf(rush).p95Ms.toFixed(0)} ms, objective ${OBJECTIVE_MS} ms`;
  await writeFile(PLOT, drawTraffic(seconds, { title, objectiveMs: OBJECTIVE_MS }));
}
