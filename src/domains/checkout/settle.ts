import type { Deps } from '../../platform/deps.ts';
import type { Claim } from '../../platform/http/idempotency.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { AlreadyApplied, FenceLost } from '../../platform/db/errors.ts';
import { loggableId, redact } from '../../platform/telemetry/redact.ts';
import { notFound } from '../../platform/errors.ts';
import { stockChanged } from '../inventory/index.ts';
import { orderById, type OrderRow } from '../orders/index.ts';
import {
  appendTransaction,
  noteProviderState,
  onlineProvider,
  providerIfAvailable,
  reconcileAuthorized,
  returnLatePayment,
  type NewTransaction,
  type Outcome,
  type PaymentRow,
} from '../payments/index.ts';
import { countOutcome } from './metrics.ts';
import {
  confirmStatements,
  endLease,
  failStatements,
  parkStatements,
  requireFence,
  followOrder,
  takeOver,
  takeOverKeys,
  type TakenOrder,
} from './queries.ts';
import { renewLease, searchAge } from './statements.ts';

const NEVER_ASKED: Outcome = { status: 'declined', reference: null, reason: 'abandoned' };

/** By our own id. A search shows what was minutes ago, so the state is asked for by the name that it finds; null for none. */
async function searchByOurs(deps: Deps, payment: PaymentRow): Promise<Outcome | null> {
  const provider = onlineProvider(deps, payment.provider);
  const found = await provider.search(payment.id);
  return found && 'reference' in found && found.reference !== null ? await provider.find(found.reference) : found;
}

/** Asking to charge again could charge twice by now. A search is minutes late, and the charge may be so young as well. */
async function searchCharge(deps: Deps, { id, payment }: TakenOrder): Promise<Outcome> {
  const found = await searchByOurs(deps, payment);
  if (found) return found;
  const [[age]] = await deps.db.read(searchAge(id));
  return age?.is_believed ? NEVER_ASKED : { status: 'unknown', cause: 'not found yet' };
}

/**
 * Refused when the money was taken in this very moment; what is only authorized by then is given up all the same, and the
 * order fails. Whoever was overtaken before it must not do that to an order that somebody else has confirmed.
 */
async function giveUp(deps: Deps, { id, attempt, payment }: TakenOrder, reference: string): Promise<Outcome> {
  const [[held]] = await deps.db.writeResent(renewLease(id, attempt));
  if (!held) return { status: 'unknown', cause: 'overtaken' };
  const provider = onlineProvider(deps, payment.provider);
  await provider.void(reference, { key: `abandon-${payment.id}` });
  const now = await provider.find(reference);
  return now.status === 'requires_action' ? { status: 'unknown', cause: 'not given up yet' } : now;
}

interface Hints {
  /** The provider's name of the payment, where it told that before we could write it down. */
  named?: string | null;
  /** Somebody may have asked to charge before. */
  isAgain?: boolean;
  /** What people decide that it comes to where the provider does not know, or cannot be asked. */
  otherwise?: Outcome;
}

/**
 * The provider is asked for the state when it has named the payment, else to charge: both are safe to repeat. Under one key
 * it may repeat for a day that it has failed, whatever came of the charge; then only one that is found counts.
 */
async function askProvider(deps: Deps, order: TakenOrder, { named = null, isAgain = false }: Hints): Promise<Outcome> {
  const { payment } = order;
  const provider = onlineProvider(deps, payment.provider);
  const reference = payment.provider_reference ?? named;
  if (reference === null) {
    if (order.is_stale) return await searchCharge(deps, order);
    const charged = await provider.pay({
      paymentId: payment.id,
      orderId: order.id,
      amount: payment.amount,
      currency: payment.currency,
      capture: payment.capture,
      token: payment.token ?? '',
    });
    if (charged.status !== 'unknown' || !isAgain) return charged;
    const [[held]] = await deps.db.writeResent(renewLease(order.id, order.attempt));
    return (held && (await searchByOurs(deps, payment))) ?? charged;
  }
  const outcome = await provider.find(reference);
  if (outcome.status !== 'requires_action' || !order.is_abandoned) return outcome;
  return await giveUp(deps, order, reference);
}

/** Money of another amount or currency than the order's is no payment of it; a part that people took of it is. */
function checkAmount(outcome: Outcome, { payment }: TakenOrder): Outcome {
  if (outcome.status !== 'captured' && outcome.status !== 'authorized') return outcome;
  const isPart = outcome.status === 'captured' && outcome.amount > 0 && outcome.amount < outcome.intended;
  const whole = isPart ? outcome.intended : outcome.amount;
  if (whole === payment.amount && outcome.currency === payment.currency) return outcome;
  const told = `${whole} ${outcome.currency}`;
  return { status: 'unknown', cause: `${told} differs from ${payment.amount} ${payment.currency}` };
}

function finishStatements(deps: Deps, order: TakenOrder, outcome: Outcome): Sql[] {
  const { payment } = order;
  const finished = {
    id: order.id,
    eventId: deps.ids.uuid(),
    number: order.number,
    cart: { id: order.cart_id, currency: order.currency },
    totals: { total: order.total },
  };
  const asked = payment.capture === 'manual' ? 'authorize' : 'capture';
  const append = (
    result: NewTransaction['outcome'],
    reference: string | null,
    { kind = asked, amount = payment.amount, reason = null }: Partial<NewTransaction> = {},
  ) => {
    const row = { kind, amount, reason, outcome: result, provider_reference: reference };
    return appendTransaction({ id: deps.ids.uuid(), payment_id: payment.id, ...row });
  };
  const note = (reference: string | null, settled: boolean) =>
    noteProviderState(payment.id, { reference, nextAction: null, settled });

  switch (outcome.status) {
    case 'captured': {
      const { reference, amount } = outcome;
      // What others captured before it was learned here had been authorized whole.
      const isInTwo = payment.capture === 'manual' || amount < payment.amount;
      return [
        ...(isInTwo ? [append('success', reference, { kind: 'authorize' })] : []),
        append('success', reference, { kind: 'capture', amount }),
        note(reference, true),
        ...confirmStatements(finished),
      ];
    }
    case 'authorized':
      return [
        append('success', outcome.reference, { kind: 'authorize' }),
        note(outcome.reference, true),
        ...confirmStatements(finished),
      ];
    case 'declined':
      return [
        append('failure', outcome.reference, { reason: outcome.reason }),
        note(outcome.reference, true),
        ...failStatements(finished),
      ];
    case 'requires_action':
      return [
        ...(payment.provider_reference === null ? [append('pending', outcome.reference)] : []),
        noteProviderState(payment.id, {
          reference: outcome.reference,
          nextAction: outcome.nextAction,
          settled: false,
        }),
        ...parkStatements(order.id, order.attempt),
      ];
    case 'processing':
      return [
        ...(payment.provider_reference === null ? [append('pending', outcome.reference)] : []),
        note(outcome.reference, false),
        ...parkStatements(order.id, order.attempt),
      ];
    case 'unknown':
      return [endLease(order.id, order.attempt)];
  }
}

async function readOrder(deps: Deps, orderId: string): Promise<OrderRow> {
  const [[row]] = await deps.db.read(orderById(orderId));
  if (!row) throw notFound('order');
  return row;
}

/**
 * Asks the provider and writes what it says, under the fence of this attempt. A lost reply of the batch is answered by
 * sending it again; an attempt that was overtaken writes nothing and answers what the other one made of it.
 */
export async function settle(deps: Deps, order: TakenOrder, hints: Hints = {}): Promise<OrderRow> {
  const isDecided = hints.otherwise !== undefined && providerIfAvailable(deps, order.payment.provider) === null;
  const told: Outcome = isDecided
    ? { status: 'unknown', cause: 'the provider is not set up here any more' }
    : checkAmount(await askProvider(deps, order, hints), order);
  if (told.status === 'unknown') {
    deps.log.log('warn', 'payment in doubt', {
      order_id: loggableId(order.id),
      payment_id: loggableId(order.payment.id),
      cause: redact(told.cause),
    });
  }
  const outcome = told.status === 'unknown' ? (hints.otherwise ?? told) : told;
  const statements = [requireFence(order.id, order.attempt), ...finishStatements(deps, order, outcome)];
  try {
    const row = await deps.db.commit(statements, orderById(order.id), { resend: true });
    if (row) {
      stockChanged(deps);
      countOutcome(deps, order, outcome);
      return row;
    }
  } catch (error) {
    if (!(error instanceof FenceLost) && !(error instanceof AlreadyApplied)) throw error;
  }
  // A void that reached the provider late may have ended what another attempt had confirmed: that is written down.
  if (outcome.status === 'declined') {
    await reconcileAuthorized(deps, {
      ...order.payment,
      provider_reference: order.payment.provider_reference ?? outcome.reference,
    });
  }
  const made = await readOrder(deps, order.id);
  const isPaid = outcome.status === 'captured' || outcome.status === 'authorized';
  // People ended it by force before this was known.
  if (made.status === 'failed' && isPaid)
    await returnLatePayment(deps, { ...order.payment, provider_reference: outcome.reference });
  return made;
}

/**
 * Takes over an order that nobody works on and settles it; a retry, a webhook and the tick all come through here. Answers
 * the order as it is when somebody holds it or it is settled. The key of a retry follows the order from here on.
 */
export async function resume(
  deps: Deps,
  orderId: string,
  claim: Claim | null = null,
  named: string | null = null,
): Promise<OrderRow> {
  const attempt = claim?.attempt ?? deps.ids.uuid();
  const batch = [takeOver(orderId, attempt), orderById(orderId), takeOverKeys(orderId, attempt)] as const;
  const [[taken], [row]] = claim
    ? await deps.db.write(...batch, followOrder(claim, orderId))
    : await deps.db.write(...batch);
  if (taken) return await settle(deps, taken, { named, isAgain: true });
  if (!row) throw notFound('order');
  return row;
}
