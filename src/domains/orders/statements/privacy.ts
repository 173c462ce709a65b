import { sql, type Sql } from '../../../platform/db/sql.ts';
import { auditEntry, type AuditEntry } from '../../audit/index.ts';
import { eraseCarts, lockCarts } from '../../cart/index.ts';
import { eraseProfile, lockCustomer } from '../../customers/index.ts';
import { emitEvent } from '../../events/index.ts';
import { eraseAccount, lockCustomerAccount } from '../../identity/index.ts';
import { erasePayments } from '../../payments/index.ts';
import { orders, type OrderRow } from '../queries/orders.ts';

/** A customer's orders, and those a guest placed under the e-mail address that the customer proved to be theirs. */
function ordersOf(customerId: string): Sql {
  return sql`(
    select o.id from orders o where o.customer_id = ${customerId}::uuid
    union
    select o.id from orders o join accounts a on lower(a.email) = lower(o.email)
    where a.id = ${customerId}::uuid and a.email_verified_at is not null and o.customer_id is null)`;
}

/** Every attempt, failed ones too. */
export function heldOrders(customerId: string): Sql<OrderRow> {
  return orders(sql`o.id in ${ordersOf(customerId)}`, sql`order by o.id`);
}

export interface ActivityRow {
  action: string;
  actor_kind: string;
  created_at: string;
}

/** What they did, and what was done to their account, by whatever kind of person. */
export function activityOf(customerId: string): Sql<ActivityRow> {
  return sql<ActivityRow>`
    select action, actor_kind, created_at from audit_log
    where actor_kind = 'customer' and actor_id = ${customerId}::uuid
      or resource_type = 'customer' and resource_id = ${customerId}
    order by id`;
}

type Asked = Omit<AuditEntry, 'action' | 'resource'>;

export function noteExport(customerId: string, asked: Asked): Sql[] {
  return [
    lockCustomerAccount(customerId, null),
    auditEntry({ ...asked, action: 'customers.export', resource: { type: 'customer', id: customerId } }),
  ];
}

/** An order whose payment is in doubt is finished with what is stored of it. */
function requireSettled(customerId: string): Sql {
  return sql`
    select require(count(*) = 0, 'conflict', jsonb_build_object('param', 'orders',
      'message', 'An order still waits for its payment. Ask again when it is settled.',
      'errors', jsonb_agg(jsonb_build_object('param', 'orders', 'code', 'pending', 'order_id', o.id,
        'message', 'The payment of this order is not settled.') order by o.id)))
    from orders o where o.id in ${ordersOf(customerId)} and o.status = 'pending'`;
}

/** Where it went, as far as tax asks; a word stands in for what every order has. */
const erasedAddress = (address: Sql) => sql`
  jsonb_build_object('first_name', 'erased', 'last_name', 'erased', 'line1', 'erased', 'city', 'erased',
    'postal_code', 'erased', 'region', ${address} -> 'region', 'country', ${address} -> 'country')`;

function eraseOrders(customerId: string): Sql {
  return sql`
    update orders o set email = 'erased@invalid', note = null, customer_id = null, version = version + 1,
      shipping_address = ${erasedAddress(sql`o.shipping_address`)},
      billing_address = ${erasedAddress(sql`o.billing_address`)}
    where o.id in ${ordersOf(customerId)}`;
}

/** What staff wrote down may be about the person. */
function eraseNotes(customerId: string): Sql {
  return sql`update order_notes set body = 'erased' where order_id in ${ordersOf(customerId)} and body <> 'erased'`;
}

export interface Erasure {
  customerId: string;
  /** The versions that If-Match names, or null. */
  versions: readonly number[] | null;
  eventId: string;
  audit: Asked;
}

/** A resend of the batch that erased this customer stops here. */
export function requireNotErased({ eventId }: Erasure): Sql {
  return sql`select require(not exists (select from outbox_events where id = ${eventId}::uuid), 'already_applied')`;
}

/** All of it or nothing. The account comes last: it holds the e-mail address that finds a guest's carts and orders. */
export function eraseStatements({ customerId, versions, eventId, audit }: Erasure): Sql[] {
  return [
    lockCustomerAccount(customerId, versions),
    lockCustomer(customerId),
    lockCarts(customerId),
    requireSettled(customerId),
    erasePayments(ordersOf(customerId)),
    eraseNotes(customerId),
    eraseOrders(customerId),
    ...eraseCarts(customerId),
    eraseProfile(customerId),
    ...eraseAccount(customerId),
    emitEvent({ id: eventId, type: 'customer.erased', aggregateId: customerId, payload: {} }),
    auditEntry({ ...audit, action: 'customers.erase', resource: { type: 'customer', id: customerId } }),
  ];
}
