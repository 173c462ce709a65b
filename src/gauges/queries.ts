import { sql, type Sql } from '../platform/db/sql.ts';
import type { GaugeName } from '../platform/telemetry/names.ts';
import { isWebhookGivenUp } from '../domains/payments/index.ts';

/** One row, one column per gauge; sampled by the tick in a round trip of its own. */
type GaugeRow = Record<
  Extract<
    GaugeName,
    `ecommerce_${'database_connections' | 'outbox' | 'stock' | 'reservations' | 'orders' | 'payment_requests' | 'payment_webhooks'}_${string}`
  >,
  number
>;

/** Connections are the server's own count for this role, not the Worker's guess. */
export const gaugeRow: Sql<GaugeRow> = sql<GaugeRow>`
  select
    (select count(*)::int from pg_stat_activity where usename = current_user) as ecommerce_database_connections_open,
    current_setting('max_connections')::int as ecommerce_database_connections_max,
    (select count(*)::int from outbox_events where delivered_at is null and dead_at is null) as ecommerce_outbox_pending,
    (select coalesce(extract(epoch from now() - min(created_at)), 0)::float8 from outbox_events
     where delivered_at is null and dead_at is null) as ecommerce_outbox_oldest_seconds,
    (select count(*)::int from outbox_events where dead_at is not null) as ecommerce_outbox_dead,
    (select coalesce(sum(quantity), 0)::float8 from reservations where committed_at is null) as ecommerce_stock_reserved_units,
    (select count(*)::int from skus s where s.status = 'active'
       and (select a.quantity from sku_availability a where a.sku_id = s.id) = 0) as ecommerce_stock_out_skus,
    (select count(*)::int from reservations
     where committed_at is null and order_id is not null and created_at < now() - interval '1 hour') as ecommerce_reservations_stuck,
    (select count(*)::int from orders where status = 'pending') as ecommerce_orders_pending,
    (select count(*)::int from payment_request_leases l where not exists (
       select from payment_transactions r where r.request_id = l.request_id and r.outcome in ('success', 'failure'))
    ) as ecommerce_payment_requests_open,
    (select count(*)::int from payment_webhook_events
     where applied_at is null and not ${isWebhookGivenUp}) as ecommerce_payment_webhooks_waiting,
    (select count(*)::int from payment_webhook_events
     where ${isWebhookGivenUp}) as ecommerce_payment_webhooks_given_up`;
