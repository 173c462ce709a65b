import { setTimeout as sleep } from 'node:timers/promises';
import { audit } from '../books.ts';
import { type Buyer, createBuyers, createGoods, type Goods } from '../buyers.ts';
import { type Answer, type Client, createClient, statusesOf, trafficOf } from '../client.ts';
import { browseAndBuy } from '../load.ts';
import { bundleTail, type LokiReceiver, startLokiReceiver } from '../loki.ts';
import type { Replica } from '../replica.ts';
import { check, patienceMs, type Scenario, timely } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const READS = 200;
const ORDERS = 20;
/** The tail Worker is told of a request when it is over. */
const SHIPPED_TRIES = 50;

export const logSinkDown: Scenario = {
  name: 'log-sink-down',
  what: 'a tail Worker ships to Loki, which answers, refuses, hangs and answers again; a self-hosted replica writes to an output that nobody reads, then to a closed one',
  secondsMax: 60,
  async run(stage, progress) {
    const loki = await startLokiReceiver();
    const tail = { bundle: await bundleTail(stage.folder), bindings: { LOKI_URL: loki.url, ENVIRONMENT: 'rehearsal' } };
    try {
      const shop = await stage.start({ env: { LOG_LEVEL: 'info' }, tail });
      return await rehearse(stage, shop, loki, progress);
    } finally {
      await loki.close();
    }
  },
};

async function rehearse(stage: Stage, shop: Replica, loki: LokiReceiver, progress: (share: number) => void) {
  const modes = ['up', 'refusing', 'hanging', 'up'] as const;
  const goods = await createGoods(stage, (modes.length + 2) * ORDERS);
  const buyers = createBuyers(goods, modes.length * ORDERS);
  const phases: { answers: Answer[]; client: Client; shipped: number }[] = [];
  for (const [at, mode] of modes.entries()) {
    loki.mode = mode;
    const client = createClient();
    const before = loki.lines.length;
    const answers = await browseAndBuy(stage, {
      shop: shop.url,
      client,
      buyers: buyers.slice(at * ORDERS, (at + 1) * ORDERS),
      reads: READS,
    });
    if (mode === 'up') await untilShipped(loki, before, answers.length);
    client.close();
    phases.push({ answers, client, shipped: loki.lines.slice(before).filter(isRequest).length });
    progress((at + 1) / modes.length);
  }
  const [up, , , again] = phases;
  const outage = phases.slice(1, 3);
  const answers = outage.flatMap((phase) => phase.answers);
  const traffic = trafficOf(outage.flatMap(({ client }) => client.samples));
  const calm = trafficOf(up?.client.samples ?? []);
  const self = await selfHosted(stage, goods);
  const { orders, stockLeft, checks } = await audit(stage, goods, [...buyers, ...self.buyers]);
  return {
    traffic,
    orders,
    stockLeft,
    checks: [
      check(
        'while it answers, a line for every request',
        `${up?.shipped} of ${up?.answers.length}`,
        (up?.shipped ?? 0) >= (up?.answers.length ?? 1),
      ),
      check('no request fails while it is away', statusesOf(answers), answers.every(isServed)),
      timely(
        stage,
        `nobody waits for it: p95 at most ${patienceMs(calm.p95Ms).toFixed(0)} ms`,
        traffic.p95Ms,
        patienceMs(calm.p95Ms),
      ),
      check(
        'lines again once it is back',
        `${again?.shipped} of ${again?.answers.length}`,
        (again?.shipped ?? 0) >= (again?.answers.length ?? 1),
      ),
      check(
        'self-hosted, output full or closed: nothing fails',
        statusesOf(self.answers),
        self.answers.every(isServed),
      ),
      check('and SIGTERM still ends it with exit code 0', String(self.exitCode), self.exitCode === 0),
      check(
        'all that Loki took was well-formed',
        loki.faults.length === 0 ? 'yes' : (loki.faults[0] ?? ''),
        loki.faults.length === 0,
      ),
      ...checks,
    ],
  };
}

/** A replica whose log has nowhere to go. */
async function selfHosted(stage: Stage, goods: Goods) {
  const replica = await stage.startSelfHosted({ LOG_LEVEL: 'info', LOG_OUTPUT: 'stdout' });
  const client = createClient();
  const buyers = createBuyers(goods, 2 * ORDERS);
  const answers: Answer[] = [];
  const load = async (some: readonly Buyer[]) =>
    answers.push(...(await browseAndBuy(stage, { shop: replica.url, client, buyers: some, reads: READS })));
  replica.stopReading();
  await load(buyers.slice(0, ORDERS));
  replica.closeOutput();
  await load(buyers.slice(ORDERS));
  client.close();
  return { answers, buyers, exitCode: await replica.stop() };
}

const isServed = ({ status }: Answer): boolean => status === 200 || status === 201;

async function untilShipped({ lines }: LokiReceiver, from: number, count: number): Promise<void> {
  const isMissing = () => lines.slice(from).filter(isRequest).length < count;
  for (let tries = 0; isMissing() && tries < SHIPPED_TRIES; tries += 1) await sleep(100);
}

/** A request's own line; an order writes others beside it. */
const isRequest = (line: string): boolean => line.includes('"duration_ms":');
