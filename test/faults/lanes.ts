import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';

/** A shop of its own: cases in different lanes never meet. */
export interface Lane {
  stack: Stack;
  /** Of a member of staff who may do everything. */
  staffToken: string;
  shippingOptionId: string;
}

/** Short, since each exchange is also kept waiting for longer than that. */
const TIMEOUTS = { DATABASE_TIMEOUT_MS: '1000', REDIS_TIMEOUT_MS: '300', PAYMENT_TIMEOUT_MS: '700' };

/** With the Worker of a bundle of its own, if there is one. */
export async function startLane(workerDir?: string): Promise<Lane> {
  // A tick ends with its metrics.
  const env = { LOG_LEVEL: 'error', JWT_ACCESS_TTL: '86400', METRICS_FLUSH_SECONDS: '1', ...TIMEOUTS };
  const stack = await startStack({ env, ...(workerDir !== undefined && { shared: { workerDir } }) });
  stack.provider.setWebhookMode('hold');
  const { token } = await createStaff(stack, ['*']);
  const { rows } = await stack.owner.query(
    `select o.id from shipping_options o join markets m on m.id = o.market_id where m.code = 'us' limit 1`,
  );
  return { stack, staffToken: token, shippingOptionId: rows[0].id };
}

/** Runs the work in order, as many pieces at once as there are lanes. */
export async function spread<Work, Result>(
  lanes: readonly Lane[],
  work: readonly Work[],
  run: (lane: Lane, one: Work) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < work.length) {
        const at = next;
        next += 1;
        results[at] = await run(lane, work[at] as Work);
      }
    }),
  );
  return results;
}
