import { setTimeout as sleep } from 'node:timers/promises';
import { audit } from '../books.ts';
import { type Buyer, createBuyers, createGoods, orderUntilTold } from '../buyers.ts';
import { type Answer, createClient, statusesOf, trafficOf } from '../client.ts';
import { check, type Scenario, timely } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const BUYERS = 200;
const AT_ONCE = 16;
/** Orders that are acknowledged before Postgres is stopped. */
const BEFORE = 60;
const DOWN_MS = 3_000;
/** From the moment Postgres takes connections again to the first order. */
const BACK_MS_MAX = 5_000;

export const postgresRestarted: Scenario = {
  name: 'postgres-restarted',
  what: `Postgres is shut down amid ${BUYERS} checkouts and is back after ${DOWN_MS / 1000} s`,
  secondsMax: 75,
  async run(stage, progress) {
    const shop = await stage.start({ env: { DATABASE_TIMEOUT_MS: '5000' } });
    const goods = await createGoods(stage, BUYERS);
    const buyers = createBuyers(goods, BUYERS);
    const client = createClient();
    const enough = Promise.withResolvers<void>();
    let [next, told] = [0, 0];
    const lane = async () => {
      for (let buyer = buyers[next++]; buyer !== undefined; buyer = buyers[next++]) {
        await orderUntilTold(client, () => shop.url, buyer);
        progress((told += 1) / BUYERS);
        if (told === BEFORE) enough.resolve();
      }
    };
    const lanes = Promise.all(Array.from({ length: AT_ONCE }, lane));
    await Promise.race([enough.promise, lanes]);
    await stage.postgres.down();
    await sleep(DOWN_MS / 2);
    const ready = await client.send(new URL('/health/ready', shop.url));
    const live = await client.send(new URL('/health/live', shop.url));
    await sleep(DOWN_MS / 2);
    await stage.postgres.up();
    const backAtMs = performance.now();
    await lanes;
    const readyAgain = await client.send(new URL('/health/ready', shop.url));
    client.close();
    const traffic = trafficOf(client.samples.filter(({ path }) => !path.startsWith('/health')));
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic,
      orders,
      stockLeft,
      checks: [
        ...refusals(buyers),
        check(
          '/health/ready is 503, /health/live stays 200',
          `${ready.status}, ${live.status}`,
          ready.status === 503 && live.status === 200,
        ),
        check('/health/ready is 200 afterwards', `${readyAgain.status}`, readyAgain.status === 200),
        backIn(stage, buyers, backAtMs),
        check('every buyer has an order in the end', orders, orders === BUYERS),
        ...checks,
      ],
    };
  },
};

function refusals(buyers: readonly Buyer[]) {
  const answers = buyers.flatMap((buyer) => buyer.answers);
  const unserved = answers.filter(({ status }) => status !== 201);
  const isAsked = ({ status, headers }: Answer) =>
    (status === 503 || status === 409) && headers['retry-after'] !== undefined;
  return [
    check('some checkouts meet the outage', statusesOf(answers), unserved.length > 0),
    check(
      'each of them is told when to try again',
      statusesOf(unserved.filter((answer) => !isAsked(answer))),
      unserved.every(isAsked),
    ),
  ];
}

function backIn(stage: Stage, buyers: readonly Buyer[], backAtMs: number) {
  const after = buyers.flatMap(({ toldAtMs }) => (toldAtMs !== null && toldAtMs > backAtMs ? [toldAtMs] : []));
  return timely(
    stage,
    `orders again within ${BACK_MS_MAX / 1000} s of its return`,
    Math.min(...after) - backAtMs,
    BACK_MS_MAX,
  );
}
