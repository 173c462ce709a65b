import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Arrival, arrivalsOf, arrive, byPhase, type Phase } from '../arrivals.ts';
import { audit } from '../books.ts';
import { createBuyers, createGoods, orderUntilTold } from '../buyers.ts';
import { type Client, createClient, type Sample, statusesOf, trafficOf } from '../client.ts';
import { drawTraffic, type Second } from '../plot.ts';
import { type Check, check, OBJECTIVE_MS, patienceMs, type Scenario, timely, unlessBusy } from '../scenario.ts';
import { handlesOf, type Stage } from '../stage.ts';

const TIMES = 10;
/** Requests a second that are usual: on a slow machine so few that ten times as many are a quarter of what it can serve. */
const RATE_MAX = 20;
const CALIBRATION_MS = 4_000;
const AT_ONCE = 16;
/** A minute in all. */
const PHASES: readonly Phase[] = [
  { name: 'calm', seconds: 12, times: 1 },
  { name: 'rush', seconds: 36, times: TIMES },
  { name: 'calm again', seconds: 12, times: 1 },
];
const CRAWLER_PER_S = 10;
/** A minute's limit for one address, as it is by default; the crawler asks several times as often. */
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
  what: `up to ${RATE_MAX} requests/s, then ${TIMES} times as many of ${TIMES} times as many people, then as before; limiter on, beside them a crawler`,
  secondsMax: 110,
  async run(stage, progress) {
    const shop = await stage.start({ env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PUBLIC: String(LIMIT) } });
    const handles = await handlesOf(stage);
    const rate = await usualRate(shop.url, handles);
    const arrivals = arrivalsOf(PHASES, rate);
    const wanted = arrivals.filter((arrival) => pageOf(arrival) === 'order').length;
    const goods = await createGoods(stage, wanted);
    const buyers = createBuyers(goods, wanted);
    const [people, crawler] = [createClient(), createClient()];
    const over = new AbortController();
    const crawling = crawl(crawler, shop.url, over.signal);
    let nextBuyer = 0;
    const send = (arrival: Arrival, dueMs: number): Promise<unknown> => {
      const { nth, address } = arrival;
      const page = pageOf(arrival);
      const buyer = page === 'order' ? buyers[nextBuyer++] : undefined;
      if (buyer !== undefined) return orderUntilTold(people, () => shop.url, Object.assign(buyer, { address }), dueMs);
      const target = page === 'one' ? `/products/${handles[nth % handles.length]}` : page;
      return people.send(new URL(`/api/v1${target}`, shop.url), { address, dueMs });
    };
    const startMs = await arrive(arrivals, people, send, progress).finally(() => over.abort());
    await crawling;
    for (const client of [people, crawler]) client.close();
    await plot(people.samples, startMs);
    const { orders, stockLeft, checks } = await audit(
      stage,
      goods,
      buyers.filter(({ answers }) => answers.length > 0),
    );
    const [, rush = []] = byPhase(PHASES, people.samples, startMs);
    return {
      traffic: trafficOf(rush),
      orders,
      stockLeft,
      checks: [
        unlessBusy(
          stage,
          check(
            `${rate} requests/s, then ${TIMES * rate}: nobody is turned away, nothing fails`,
            statusesOf(people.samples),
            people.samples.every(isServed),
          ),
        ),
        ...speedChecks(stage, people.samples, startMs),
        unlessBusy(stage, limitCheck(stage.redis.kind, crawler, people)),
        unlessBusy(stage, check('every order that was asked for', orders, orders === wanted)),
        ...checks,
      ],
    };
  },
};

/** The orders of the rush take about as much of the machine as all of its reads, and only reads are measured. */
const WITH_ORDERS = 2;

/** What the machine serves to clients that wait for each answer, so divided that ten times it is a quarter of that. */
async function usualRate(shop: URL, handles: readonly string[]): Promise<number> {
  const client = createClient();
  const end = performance.now() + CALIBRATION_MS;
  let asked = 0;
  const lane = async () => {
    while (performance.now() < end) {
      const nth = asked++;
      const page = pageOf({ nth });
      const target = page.startsWith('/') ? page : `/products/${handles[nth % handles.length]}`;
      await client.send(new URL(`/api/v1${target}`, shop), { address: `10.8.${(nth >> 8) & 255}.${nth & 255}` });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  client.close();
  const perSecond = (1000 * client.samples.length) / CALIBRATION_MS;
  return Math.min(RATE_MAX, Math.max(1, Math.floor(perSecond / (4 * WITH_ORDERS * TIMES))));
}

const pageOf = ({ nth }: Pick<Arrival, 'nth'>): string => MIX[nth % MIX.length] ?? 'one';
const isServed = ({ status }: Sample): boolean => status === 200 || status === 201;

/** One address that asks as if it were alone. */
async function crawl(client: Client, shop: URL, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await client.send(new URL('/api/v1/products?limit=5', shop), { address: '10.9.9.9' });
    await sleep(1000 / CRAWLER_PER_S);
  }
}

function speedChecks(stage: Stage, samples: readonly Sample[], startMs: number): Check[] {
  const [calm = Number.NaN, rush = Number.NaN, after = Number.NaN] = byPhase(PHASES, samples, startMs).map(
    (phase) => trafficOf(phase).p95Ms,
  );
  const msMax = patienceMs(calm, SLOWER_MAX);
  const limit = `p95 at most ${msMax.toFixed(0)} ms, waiting included`;
  return [
    timely(stage, `in the rush: ${limit} (${calm.toFixed(0)} before)`, rush, msMax),
    timely(stage, `calm again: ${limit}`, after, msMax),
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
