import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { audit } from '../books.ts';
import { type Buyer, createBuyers, createGoods, isOrdered, orderUntilTold } from '../buyers.ts';
import { type Answer, type Client, createClient, statusesOf, trafficOf } from '../client.ts';
import type { Replica } from '../replica.ts';
import { check, type Scenario } from '../scenario.ts';

const BUYERS = 60;
const UNITS = 50;
const SMALL_S = 20;
const LARGE_S = 600;

const Session = z.object({ access_token: z.string() });

export const clockSkew: Scenario = {
  name: 'clock-skew',
  what: `three Workers on one database: one clock right, one ${SMALL_S} s behind, one ${LARGE_S / 60} min ahead`,
  secondsMax: 60,
  async run(stage, progress) {
    const right = await stage.start();
    const behind = await stage.start({ clockAheadMs: -1000 * SMALL_S });
    const ahead = await stage.start({ clockAheadMs: 1000 * LARGE_S });
    const client = createClient();
    const [right_, behind_, ahead_] = await Promise.all([right, behind, ahead].map((one) => register(client, one)));
    const small = await Promise.all([whoAmI(client, behind, right_), whoAmI(client, right, behind_)]);
    const large = await whoAmI(client, right, ahead_);
    const valid = await whoAmI(client, ahead, right_);
    progress(0.2);

    const goods = await createGoods(stage, UNITS);
    const buyers = createBuyers(goods, BUYERS);
    const shops = [right, behind, ahead];
    let told = 0;
    await Promise.all(
      buyers.map(async (buyer, at) => {
        let turn = at;
        // Each is asked twice, at two Workers, as an impatient client does.
        const shopOf = () => shops[turn++ % shops.length]?.url ?? right.url;
        await Promise.all([orderUntilTold(client, shopOf, buyer), twin(client, shopOf, buyer)]);
        progress(0.2 + (0.7 * (told += 1)) / BUYERS);
      }),
    );
    for (const shop of shops) await shop.tick();
    const stuck = await leasesOf(stage.owner);
    client.close();
    const bought = buyers.filter(isOrdered).length;
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic: trafficOf(client.samples.filter(({ path }) => path === '/api/v1/orders')),
      orders,
      stockLeft,
      checks: [
        check(
          `${SMALL_S} s: each takes the other's tokens`,
          statusesOf(small),
          small.every(({ status }) => status === 200),
        ),
        check(
          `${LARGE_S / 60} min ahead: its tokens are refused as issued in the future`,
          statusesOf([large]),
          large.status === 401,
        ),
        check(
          `${LARGE_S / 60} min ahead: it still takes tokens of the others`,
          statusesOf([valid]),
          valid.status === 200,
        ),
        check(`${UNITS} of ${BUYERS} buyers get one, each asking two Workers`, bought, bought === UNITS),
        check("leases and holds go by the database's clock: none is left", stuck, stuck === 0),
        ...checks,
      ],
    };
  },
};

/** A customer who signed up there; the access token. */
async function register(client: Client, { url }: Replica): Promise<string> {
  const email = `${randomUUID()}@people.example.test`;
  const { status, text } = await client.send(new URL('/api/v1/auth/register', url), {
    method: 'POST',
    body: { email, password: `password of ${email}` },
  });
  if (status !== 201) throw new Error(`register answered ${status}: ${text}`);
  return Session.parse(JSON.parse(text)).access_token;
}

function whoAmI(client: Client, { url }: Replica, token = ''): Promise<Answer> {
  return client.send(new URL('/api/v1/customers/me', url), { token });
}

/** The same request once more, with the same key; what it hears is as good as what the first hears. */
async function twin(client: Client, shopOf: () => URL, { key, goods, address }: Buyer): Promise<void> {
  const copy: Buyer = { key, goods, answers: [], toldAtMs: null, ...(address !== undefined && { address }) };
  await orderUntilTold(client, shopOf, copy);
}

/** Orders that wait and keys that are claimed, with nobody at work any more. */
async function leasesOf(owner: { query(text: string): Promise<{ rows: { left: number }[] }> }): Promise<number> {
  const { rows } = await owner.query(
    `select ((select count(*) from orders where status = 'pending')
       + (select count(*) from idempotency_keys where state = 'in_flight'))::int as left`,
  );
  return rows[0]?.left ?? Number.NaN;
}
