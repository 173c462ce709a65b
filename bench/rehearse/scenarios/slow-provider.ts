import { setTimeout as sleep } from 'node:timers/promises';
import { audit } from '../books.ts';
import { type Buyer, codeOf, createBuyers, createGoods, isOrdered, orderUntilTold } from '../buyers.ts';
import { type Client, createClient, statusesOf, trafficOf } from '../client.ts';
import { type Check, check, patienceMs, type Scenario, timely } from '../scenario.ts';
import { handlesOf, type Stage } from '../stage.ts';

const SLOW_BUYERS = 20;
const DOUBTFUL_BUYERS = 20;
/** Within the Worker's patience, and beyond it. */
const SLOW_MS = 1_000;
const TOO_SLOW_MS = 5_000;
const PAYMENT_TIMEOUT_MS = 2_000;
const READ_EVERY_MS = 20;
/** Of reading alone, before anybody pays. */
const CALM_MS = 2_000;

export const slowProvider: Scenario = {
  name: 'slow-provider',
  what: `the payment provider takes ${SLOW_MS / 1000} s, then ${TOO_SLOW_MS / 1000} s while the shop waits ${PAYMENT_TIMEOUT_MS / 1000}; others browse`,
  secondsMax: 60,
  async run(stage, progress) {
    const shop = await stage.start({ env: { PAYMENT_TIMEOUT_MS: String(PAYMENT_TIMEOUT_MS) } });
    const goods = await createGoods(stage, SLOW_BUYERS + DOUBTFUL_BUYERS);
    const buyers = createBuyers(goods, SLOW_BUYERS + DOUBTFUL_BUYERS);
    const [slow, doubtful] = [buyers.slice(0, SLOW_BUYERS), buyers.slice(SLOW_BUYERS)];
    const match = { method: 'POST', path: '/v1/payment_intents' };
    const [calm, checkouts, browsing] = [createClient(), createClient(), createClient()];
    const over = new AbortController();
    const handles = await handlesOf(stage);
    const browse = async (client: Client, until: () => boolean) => {
      for (let n = 0; !until(); n += 1) {
        await client.send(new URL(`/api/v1/products/${handles[n % handles.length]}`, shop.url));
        await sleep(READ_EVERY_MS);
      }
    };
    const calmUntilMs = performance.now() + CALM_MS;
    await browse(calm, () => performance.now() > calmUntilMs);
    const reading = browse(browsing, () => over.signal.aborted);
    let told = 0;
    const buyAll = (some: typeof buyers) =>
      Promise.all(
        some.map(async (buyer) => {
          await orderUntilTold(checkouts, () => shop.url, buyer);
          progress((told += 1) / buyers.length);
        }),
      );
    try {
      stage.provider.script({ match, delay_ms: SLOW_MS, times: SLOW_BUYERS });
      await buyAll(slow);
      stage.provider.script({ match, delay_ms: TOO_SLOW_MS, times: DOUBTFUL_BUYERS });
      await buyAll(doubtful);
      await shop.tick();
    } finally {
      over.abort();
      await reading;
    }
    for (const client of [calm, checkouts, browsing]) client.close();
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic: trafficOf(checkouts.samples),
      orders,
      stockLeft,
      checks: [...checkoutChecks(slow, doubtful), ...browsingChecks(stage, calm, browsing), ...checks],
    };
  },
};

function checkoutChecks(slow: readonly Buyer[], doubtful: readonly Buyer[]): Check[] {
  const first = doubtful.flatMap(({ answers }) => answers[0] ?? []);
  const inDoubt = first.filter(
    ({ status, text, headers }) =>
      status === 503 && codeOf(text) === 'payment_in_doubt' && headers['retry-after'] !== undefined,
  ).length;
  return [
    check(
      `slow: ${SLOW_BUYERS} orders at the first try`,
      statusesOf(slow.flatMap(({ answers }) => answers)),
      slow.every((buyer) => isOrdered(buyer) && buyer.answers.length === 1),
    ),
    check(`too slow: ${DOUBTFUL_BUYERS} x 503 payment_in_doubt with Retry-After`, inDoubt, inDoubt === DOUBTFUL_BUYERS),
    check(
      'the same key ends it: each has its order',
      statusesOf(doubtful.flatMap(({ answers }) => answers.at(-1) ?? [])),
      doubtful.every(isOrdered),
    ),
  ];
}

function browsingChecks(stage: Stage, calm: Client, { samples }: Client): Check[] {
  const { requests, p95Ms, failures } = trafficOf(samples);
  const msMax = patienceMs(trafficOf(calm.samples).p95Ms);
  return [
    check(`none of ${requests} reads beside them fails`, failures, failures === 0),
    timely(stage, `and they are not slower for it: p95 at most ${msMax.toFixed(0)} ms`, p95Ms, msMax),
  ];
}
