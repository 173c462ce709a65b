import { ADDRESS, type Json, pay, type Reply } from '../support/shop.ts';
import { QUANTITY, type Run, Stuck } from './run.ts';

/** A cart that can be ordered, made with a key for each call. */
export async function fillCart(run: Run): Promise<Json> {
  const items = [{ sku_id: run.sku.id, quantity: QUANTITY }];
  const details = { market: 'us', items, email: 'ada@example.test', shipping_address: ADDRESS };
  const made = await run.until(() =>
    run.call('POST', '/carts?expand=shipping_options', details, { key: `cart-${run.tag}` }),
  );
  const path = `/carts/${made.body.id}`;
  const options =
    made.body.shipping_options ??
    (await run.until(() => run.call('GET', `${path}/shipping-options`, undefined))).body.data;
  const chosen = { shipping_option_id: options[0].id };
  return (await run.until(() => run.call('PATCH', path, chosen, { key: `ship-${run.tag}` }))).body;
}

/** All of it at once, as it goes into an order as well. */
export function wholeCart({ sku, lane }: Run): Json {
  const items = [{ sku_id: sku.id, quantity: QUANTITY }];
  const shipping_option_id = lane.shippingOptionId;
  return { market: 'us', items, email: 'ada@example.test', shipping_address: ADDRESS, shipping_option_id };
}

/** A cart that was filled before anything is recorded. */
export async function readyCart(run: Run): Promise<Json> {
  return (await run.until(() => run.call('POST', '/carts', wholeCart(run)))).body;
}

interface Placing {
  /** `{ cart_id }` or `{ cart }` */
  of: Json;
  token: string;
  capture?: 'manual';
  /** Without one, whoever lost the reply finds the order through the cart. */
  key?: string;
}

/** Orders as a buyer's page does, until it knows what became of it: the order, or the refusal of the card. */
export async function order(run: Run, { of, token, capture, key }: Placing): Promise<Reply> {
  const body = { ...of, payment: { ...pay(token), ...(capture && { capture }) } };
  const send = async (): Promise<Reply> => {
    const before = await leaseEnds(run);
    const reply = await run.call('POST', '/orders', body, key === undefined ? {} : { key });
    if (before !== null && reply.status === 201 && before.attempt !== null && (await wasOvertaken(run, before)))
      run.violations.push('an order was taken over while its lease was alive');
    note(run, reply);
    return reply;
  };
  const isCompleted = ({ body }: Reply) =>
    body?.code === 'cart_already_completed' && typeof body.guest_token === 'string';
  const isAnswer = (reply: Reply) => reply.status === 402 || isCompleted(reply);
  const reply = await run.until(send, isAnswer);
  if (key !== undefined) run.replay = { send, first: reply, key };
  return reply.status === 409 ? await lookUp(run, reply, send) : reply;
}

/** The cart has an order already: the reply was lost, or its worker is still at it. */
async function lookUp(run: Run, refusal: Reply, send: () => Promise<Reply>): Promise<Reply> {
  const { order_id: id, guest_token } = refusal.body;
  const headers = { 'x-order-token': guest_token };
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const found = await run.until(() => run.call('GET', `/orders/${id}`, undefined, { headers }));
    if (found.body.status !== 'pending' || found.body.payment_status === 'requires_action') {
      note(run, found);
      return found;
    }
    await run.passTime();
    run.hear(await send());
  }
  run.violations.push('the order that the cart has stays pending');
  throw new Stuck();
}

function note(run: Run, { status, body }: Reply): void {
  if (status === 402) run.tell('declined', body);
  else if (status < 300 && body.status === 'confirmed') run.tell('placed', body);
  else if (status < 300) run.tell('waiting', body);
}

interface Lease {
  orderId: string;
  attempt: string | null;
}

/** An order of this run that a worker holds right now. */
async function leaseEnds(run: Run): Promise<Lease | null> {
  if (!run.cut?.isHeld()) return null;
  const { rows } = await run.stack.owner.query(
    `select o.id, o.attempt from orders o join order_items i on i.order_id = o.id
     where i.sku_id = $1 and o.status = 'pending' and o.lease_until > now() + interval '5 seconds'`,
    [run.sku.id],
  );
  return rows[0] ? { orderId: rows[0].id, attempt: rows[0].attempt } : null;
}

async function wasOvertaken(run: Run, { orderId, attempt }: Lease): Promise<boolean> {
  const { rows } = await run.stack.owner.query('select attempt from orders where id = $1', [orderId]);
  return rows[0]?.attempt !== attempt;
}

/** What the buyer does on the bank's page, which the shop has no part in. */
export async function authenticate({ body }: Reply, outcome: 'success' | 'failure'): Promise<void> {
  const { url } = body.payments.at(-1).next_action;
  const page = await fetch(url, { method: 'POST', body: new URLSearchParams({ outcome }) });
  await page.arrayBuffer();
}

/** What staff do to the order's payment, asked for until it is done. */
export async function payVerb(run: Run, placed: Reply, verb: 'capture' | 'refund', body: Json): Promise<Reply> {
  return await byStaff(run, `/admin/payments/${placed.body.payments.at(-1).id}/${verb}`, body);
}

export async function byStaff(run: Run, path: string, body: Json): Promise<Reply> {
  const key = `staff-${run.tag}`;
  const send = () => run.call('POST', path, body, { key, token: run.lane.staffToken });
  const first = await run.until(send);
  run.replay = { send, first, key };
  return first;
}
