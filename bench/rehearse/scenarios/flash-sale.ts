import { audit } from '../books.ts';
import { codeOf, createBuyers, createGoods, isOrdered, orderUntilTold } from '../buyers.ts';
import { createClient, statusesOf, trafficOf } from '../client.ts';
import { check, type Scenario } from '../scenario.ts';

const BUYERS = 300;
const UNITS = 50;

export const flashSale: Scenario = {
  name: 'flash-sale',
  what: `${BUYERS} buyers want one of ${UNITS} units of a single SKU, all in the same moment`,
  secondsMax: 60,
  async run(stage, progress) {
    const shop = await stage.start({ env: { DATABASE_TIMEOUT_MS: '30000' } });
    const goods = await createGoods(stage, UNITS);
    const buyers = createBuyers(goods, BUYERS);
    const client = createClient();
    let told = 0;
    await Promise.all(
      buyers.map(async (buyer) => {
        await orderUntilTold(client, () => shop.url, buyer);
        progress((told += 1) / BUYERS);
      }),
    );
    client.close();
    const last = buyers.flatMap(({ answers }) => answers.at(-1) ?? []);
    const refused = last.filter(({ text }) => codeOf(text) === 'insufficient_stock').length;
    const bought = buyers.filter(isOrdered).length;
    const traffic = trafficOf(client.samples);
    const { orders, stockLeft, checks } = await audit(stage, goods, buyers);
    return {
      traffic,
      orders,
      stockLeft,
      checks: [
        check(`${UNITS} buyers get one`, bought, bought === UNITS),
        check(`${BUYERS - UNITS} are told insufficient_stock`, refused, refused === BUYERS - UNITS),
        check('nobody has to ask twice', statusesOf(client.samples), client.samples.length === BUYERS),
        check('nothing is left', stockLeft, stockLeft === 0),
        ...checks,
      ],
    };
  },
};
