import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type CallOptions, createSku, type Json, type Reply, type TestSku } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';
import { runTick } from '../support/tick.ts';
import { arm, type ArmedCut, type Cut, PEERS } from './cuts.ts';
import type { Lane } from './lanes.ts';

/** What somebody was told for certain: it has to stay true. */
export interface Told {
  /** Of an order that is placed, waits for its buyer, or was declined. */
  answer: 'placed' | 'waiting' | 'declined';
  orderId: string;
  total: number | null;
  number: string | null;
}

/** What has to be there in the end. Amounts in minor units. */
export interface Expected {
  outcome: 'sold' | 'nothing' | 'canceled';
  captured: number;
  refunded: number;
}

export const STOCK = 5;
export const QUANTITY = 2;
const TRIES_MAX = 8;
const QUIET_MS = 20;
/** An exchange that is recorded too late, or of the run before, is a cut that no other run can make. */
const RECORDED_QUIET_MS = 100;

/** The walk came to an end that it cannot go on from; what is wrong is in `violations`. */
export class Stuck extends Error {}

/** One buyer's way through the shop, with at most one cut, and everything that they were told. */
export class Run {
  readonly lane: Lane;
  readonly told: Told[] = [];
  readonly violations: string[] = [];
  readonly tag = randomUUID();
  expected: Expected = { outcome: 'nothing', captured: 0, refunded: 0 };
  /** Told again at the very end, with the key of the call that was answered. */
  replay: { send: () => Promise<Reply>; first: Reply; key: string } | null = null;
  readonly sku: TestSku;
  cut: ArmedCut | null = null;
  readonly #planned: Cut | null;

  constructor(lane: Lane, sku: TestSku, cut: Cut | null) {
    this.lane = lane;
    this.sku = sku;
    this.#planned = cut;
  }

  static async open(lane: Lane, cut: Cut | null): Promise<Run> {
    return new Run(lane, await createSku(lane.stack, { stock: STOCK }), cut);
  }

  get stack(): Stack {
    return this.lane.stack;
  }

  /** From here on I/O is recorded, or cut. */
  async begin(): Promise<void> {
    await this.idle();
    // What the case before left to tell would be told by this one, with exchanges that it has only then.
    await this.stack.owner.query('update outbox_events set delivered_at = now() where delivered_at is null');
    for (const peer of PEERS) this.stack[peer].clear();
    if (this.#planned) this.cut = arm(this.stack[this.#planned.point.peer], this.#planned);
  }

  /** Waits until nothing is under way but what a cut holds, and nothing has begun for a while. */
  async idle(): Promise<void> {
    const quietMs = this.#planned ? QUIET_MS : RECORDED_QUIET_MS;
    for (let before = -1; ;) {
      const now = this.#begun();
      const held = this.cut?.isHeld() ? 1 : 0;
      if (now === before && this.#underway() === held) return;
      before = now;
      await sleep(quietMs);
    }
  }

  #begun(): number {
    return PEERS.reduce((sum, peer) => sum + this.stack[peer].exchanges.length, 0);
  }

  #underway(): number {
    return PEERS.reduce((sum, peer) => sum + this.stack[peer].underway(), 0);
  }

  /** A call of the shop; when the cut holds its I/O, `twin` is made meanwhile, at once and again after the leases. */
  async during<Result>(action: () => Promise<Result>, twin: () => Promise<unknown>): Promise<Result> {
    const first = action();
    const { cut } = this;
    if (cut?.kind !== 'overtaken while it waits') return await first;
    await Promise.race([first.catch(() => undefined), cut.fired]);
    if (cut.isHeld()) {
      await twin();
      await this.passTime();
      await twin();
      cut.release();
    }
    return await first;
  }

  call(method: string, path: string, body: unknown, options: CallOptions = {}): Promise<Reply> {
    return call(this.stack, method, path, body, options);
  }

  /** Calls until there is an answer that says what happened; `isAnswer` knows those beside 2xx. */
  async until(send: () => Promise<Reply>, isAnswer: (reply: Reply) => boolean = () => false): Promise<Reply> {
    const heard: string[] = [];
    for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
      const reply = await this.during(send, async () => this.hear(await send()));
      if (reply.status < 300 || isAnswer(reply)) return reply;
      this.hear(reply);
      heard.push(`${reply.status} ${reply.body?.code}`);
      await this.passTime();
    }
    this.violations.push(`no answer in ${TRIES_MAX} tries: ${heard.join(', ')}`);
    throw new Stuck();
  }

  /** Refusals that say "not now" are fine; a fault of ours never is. */
  hear(reply: Reply): void {
    const isNotNow = reply.status === 503 || reply.status === 409;
    if (reply.status >= 300 && !isNotNow && reply.status !== 402)
      this.violations.push(`unexpected: ${reply.status} ${reply.text.slice(0, 300)}`);
    if (reply.status === 503 && reply.headers.get('retry-after') === null)
      this.violations.push(`503 without Retry-After: ${reply.text.slice(0, 300)}`);
  }

  /** Half a minute, as the database sees it: leases have ended, and what is put off is due. */
  async passTime(minutes = 0.5): Promise<void> {
    const earlier = (column: string) => `${column} = least(${column}, now()) - interval '${minutes} minutes'`;
    await this.stack.owner.query(
      `update orders set ${earlier('lease_until')} where status = 'pending';
       update idempotency_keys set ${earlier('lease_until')} where state = 'in_flight';
       update payment_request_leases set ${earlier('lease_until')}, ${earlier('next_at')};
       update payment_webhook_events set ${earlier('received_at')} where applied_at is null`,
    );
  }

  async tick(): Promise<void> {
    await runTick(this.stack).catch(() => undefined);
  }

  webhooks(): Promise<void> {
    return this.stack.provider.flushWebhooks();
  }

  tell(answer: Told['answer'], order: Json): void {
    const { id, order_id, total = null, number = null } = order;
    this.told.push({ answer, orderId: id ?? order_id, total, number });
  }
}
