import { audit } from '../books.ts';
import { type Buyer, createBuyers, createGoods, isOrdered, order, orderUntilTold } from '../buyers.ts';
import { type Client, createClient, statusesOf, trafficOf } from '../client.ts';
import type { Replica } from '../replica.ts';
import { type Check, check, type Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';

const BUYERS = 240;
const AT_ONCE = 24;
const REPLICAS = 3;
const BEFORE = 60;
/** A lease of the order path, 30 s, and some tries. */
const TOLD_S_MAX = 40;

export const replicaKilled: Scenario = {
  name: 'replica-killed',
  what: `one of ${REPLICAS} Workers, each a process of its own, is killed amid ${BUYERS} checkouts and replaced`,
  secondsMax: 75,
  async run(stage, progress) {
    const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => stage.start()));
    const fleet = balance(replicas);
    const goods = await createGoods(stage, BUYERS);
    const buyers = createBuyers(goods, BUYERS);
    const client = createClient();
    const enough = Promise.withResolvers<void>();
    let [next, told] = [0, 0];
    const lane = async () => {
      for (let buyer = buyers[next++]; buyer !== undefined; buyer = buyers[next++]) {
        await buy(fleet, client, buyer);
        progress((told += 1) / BUYERS);
        if (told === BEFORE) enough.resolve();
      }
    };
    const lanes = Promise.all(Array.from({ length: AT_ONCE }, lane));
    await Promise.race([enough.promise, lanes]);
    const killedAtMs = performance.now();
    const inFlight = await killOne(stage, fleet, replicas);
    await lanes;
    client.close();
    const answers = buyers.flatMap((buyer) => buyer.answers);
    const broken = answers.filter(({ status }) => status === null).length;
    const others = fleet.brokenElsewhere;
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic: trafficOf(client.samples),
      orders,
      stockLeft,
      checks: [
        check(`only what was in flight on it breaks: at most ${inFlight}`, broken, broken <= inFlight && others === 0),
        check(
          'no other failure',
          statusesOf(answers),
          answers.every(({ status }) => status === null || status < 500),
        ),
        check(
          'its replacement serves',
          `${fleet.servedBy(fleet.urls.at(-1))} orders`,
          fleet.servedBy(fleet.urls.at(-1)) > 0,
        ),
        toldCheck(buyers, killedAtMs),
        check('every buyer has an order in the end', orders, orders === BUYERS && buyers.every(isOrdered)),
        ...checks,
      ],
    };
  },
};

/** Whose first try broke: another Worker may take the order over once the lease of the killed one has ended. */
function toldCheck(buyers: readonly Buyer[], killedAtMs: number): Check {
  const cut = buyers.filter(({ answers }) => answers.some(({ status }) => status === null));
  const longestS = Math.max(0, ...cut.map(({ toldAtMs }) => ((toldAtMs ?? Infinity) - killedAtMs) / 1000));
  return check(
    `whoever was cut off is told within ${TOLD_S_MAX} s`,
    `${longestS.toFixed(0)} s`,
    longestS <= TOLD_S_MAX,
  );
}

/** What a load balancer knows: where to send, and what is on the way there. */
interface Fleet {
  urls: URL[];
  inFlight: Map<string, number>;
  killed: URL | null;
  brokenElsewhere: number;
  next(): URL;
  served: Map<string, number>;
  servedBy(url: URL | undefined): number;
}

function balance(replicas: readonly Replica[]): Fleet {
  let turn = 0;
  const fleet: Fleet = {
    urls: replicas.map(({ url }) => url),
    inFlight: new Map(),
    served: new Map(),
    killed: null,
    brokenElsewhere: 0,
    next() {
      const url = fleet.urls[turn++ % fleet.urls.length];
      if (url === undefined) throw new Error('no replica is left');
      return url;
    },
    servedBy: (url) => fleet.served.get(url?.href ?? '') ?? 0,
  };
  return fleet;
}

/** The first try is counted where it goes; what breaks is tried again elsewhere with the same key. */
async function buy(fleet: Fleet, client: Client, buyer: Buyer): Promise<void> {
  const url = fleet.next();
  const count = (change: number) => fleet.inFlight.set(url.href, (fleet.inFlight.get(url.href) ?? 0) + change);
  count(1);
  const { status } = await order(client, url, buyer);
  count(-1);
  if (status === 201) fleet.served.set(url.href, fleet.servedBy(url) + 1);
  if (status === null && url !== fleet.killed) fleet.brokenElsewhere += 1;
  if (buyer.toldAtMs === null) await orderUntilTold(client, () => fleet.next(), buyer);
}

/** Answers how many requests it took with it. */
async function killOne(stage: Stage, fleet: Fleet, [victim]: readonly Replica[]): Promise<number> {
  if (victim === undefined) throw new Error('nothing to kill');
  fleet.urls = fleet.urls.filter((url) => url !== victim.url);
  fleet.killed = victim.url;
  const inFlight = fleet.inFlight.get(victim.url.href) ?? 0;
  await victim.kill();
  const { url } = await stage.start();
  fleet.urls = [...fleet.urls, url];
  return inFlight;
}
