import { sql, type Sql } from '../../platform/db/sql.ts';

/** Seconds that giving a payment up may take: longer than the provider is waited for. */
const GIVE_UP_S = 30;

/** The lease anew, so that nobody takes the order over meanwhile. No row: somebody has, or the order is settled. */
export function renewLease(orderId: string, attempt: string): Sql<{ id: string }> {
  return sql<{ id: string }>`
    update orders set lease_until = now() + make_interval(secs => ${GIVE_UP_S}::int)
    where id = ${orderId}::uuid and attempt = ${attempt}::uuid and status = 'pending'
    returning id`;
}

/** Hours after which a search that finds nothing is believed: a provider may find late what it did. */
const SEARCH_BELIEVED_H = 24;

export function searchAge(orderId: string): Sql<{ is_believed: boolean }> {
  return sql<{ is_believed: boolean }>`
    select created_at < now() - make_interval(hours => ${SEARCH_BELIEVED_H}::int) as is_believed
    from orders where id = ${orderId}::uuid`;
}
