import { setTimeout as sleep } from 'node:timers/promises';
import { audit } from '../books.ts';
import { createBuyers, createGoods } from '../buyers.ts';
import { type Answer, type Client, createClient, statusesOf, trafficOf } from '../client.ts';
import { browseAndBuy } from '../load.ts';
import { check, type Scenario, timely } from '../scenario.ts';
import { METRICS_TOKEN } from '../stage.ts';
import type { Replica } from '../replica.ts';

const READS = 200;
const ORDERS = 20;
/** Of the Worker; an answer without Redis may take that much longer. */
const REDIS_TIMEOUT_MS = 500;
const SLOWER_MS = 2 * REDIS_TIMEOUT_MS;
const FLUSH_MS = 2_500;
const BACK_TRIES = 50;

export const redisDown: Scenario = {
  name: 'redis-down',
  what: 'Redis is killed under load and comes back empty; the rate limiter is on',
  secondsMax: 60,
  async run(stage, progress) {
    const shop = await stage.start({ env: LIMITED });
    const goods = await createGoods(stage, 3 * ORDERS);
    const buyers = createBuyers(goods, 3 * ORDERS);
    const [before, down, after] = [createClient(), createClient(), createClient()];
    const phase = async (client: Client, at: number) => {
      const answers = await browseAndBuy(stage, {
        shop: shop.url,
        client,
        buyers: buyers.slice(at * ORDERS, (at + 1) * ORDERS),
        reads: READS,
      });
      progress((at + 1) / 3);
      return answers;
    };
    await phase(before, 0);
    await stage.redis.down();
    let whileDown: Answer[];
    let ready: Answer;
    try {
      whileDown = await phase(down, 1);
      ready = await down.send(new URL('/health/ready', shop.url));
    } finally {
      await stage.redis.up();
    }
    const isBack = await limitsAgain(shop, after);
    const afterwards = await phase(after, 2);
    await sleep(FLUSH_MS);
    const unlimited = await unreachableOf(shop, after);
    for (const client of [before, down, after]) client.close();
    const traffic = trafficOf(down.samples.filter(({ path }) => path !== '/health/ready'));
    const calm = trafficOf(before.samples);
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic,
      orders,
      stockLeft,
      checks: [
        check('every request is served without Redis', statusesOf(whileDown), whileDown.every(isServed)),
        timely(
          stage,
          `p95 at most ${SLOWER_MS} ms above the ${calm.p95Ms.toFixed(0)} ms before`,
          traffic.p95Ms,
          calm.p95Ms + SLOWER_MS,
        ),
        check(
          '/health/ready is 503 and names redis',
          `${ready.status}`,
          ready.status === 503 && /"redis"/.test(ready.text),
        ),
        check('requests that nothing limited are counted', unlimited, unlimited >= whileDown.length),
        check('limits are back with Redis', isBack ? 'RateLimit-Limit is sent' : 'no RateLimit-Limit', isBack),
        check('every request is served afterwards', statusesOf(afterwards), afterwards.every(isServed)),
        ...checks,
      ],
    };
  },
};

const LIMITED = {
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMIT_PUBLIC: '100000',
  RATE_LIMIT_ORDER: '100000',
  REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS),
};

const isServed = ({ status }: Answer): boolean => status === 200 || status === 201;

async function limitsAgain(shop: Replica, client: Client): Promise<boolean> {
  for (let tries = 0; tries < BACK_TRIES; tries += 1) {
    const { headers } = await client.send(new URL('/api/v1/markets', shop.url));
    if (headers['ratelimit-limit'] !== undefined) return true;
    await sleep(200);
  }
  return false;
}

async function unreachableOf(shop: Replica, client: Client): Promise<number> {
  const { text } = await client.send(new URL('/metrics', shop.url), { token: METRICS_TOKEN });
  return Number(/^ecommerce_rate_limiter_unreachable_total (\d+)$/m.exec(text)?.[1] ?? 0);
}
