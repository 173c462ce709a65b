/**
 * Every metric of the product, the only place where its name, labels and buckets are written. Alerts and dashboards read
 * these names, so a change here is a change of a contract; a test holds observability/ against this table.
 */

/** Seconds. The SLO's 300 ms and the alert's 1 s are bucket bounds, so both are read exactly. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10] as const;
const ORDER_VALUE_BUCKETS = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

export interface MetricDefinition {
  kind: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** Names of its labels, in the order in which values are given. */
  labels: readonly string[];
  /** Upper bounds of a histogram's buckets in the exposed unit, ascending, without +Inf. */
  buckets?: readonly number[];
  /**
   * Sums stay integers until they are exposed, since adding floats is not exact: observations are whole microseconds, or
   * minor units of the currency that the first label names.
   */
  unit?: 'microseconds' | 'minor_units';
}

const PROVIDERS = ['test', 'manual', 'stripe'] as const;

const counter = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: 'counter', help, labels }) as const;
const gauge = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: 'gauge', help, labels }) as const;
const duration = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ kind: 'histogram', help, labels, buckets: DURATION_BUCKETS, unit: 'microseconds' }) as const;

export const METRICS = {
  ecommerce_http_requests_total: counter('Requests answered.', 'method', 'route', 'status'),
  ecommerce_http_errors_total: counter('Requests answered with a 5xx.', 'method', 'route', 'status'),
  ecommerce_http_request_duration_seconds: duration('Time from the request to its reply.', 'method', 'route'),
  ecommerce_database_connections_open: gauge("Connections of the Worker's role, sampled from the server."),
  ecommerce_database_connections_max: gauge("The server's connection limit."),
  ecommerce_database_statements_in_flight: gauge('Batches under way in the isolates that flushed last.'),
  ecommerce_database_query_duration_seconds: duration('Time of one batch.', 'kind'),
  ecommerce_database_round_trips_total: counter('HTTP exchanges with the database.'),
  ecommerce_database_errors_total: counter('Batches that failed, by kind.', 'reason'),
  ecommerce_cache_hits_total: counter('Cache reads that found their key.'),
  ecommerce_cache_misses_total: counter('Cache reads that did not.'),
  ecommerce_redis_round_trips_total: counter('HTTP exchanges with Redis.'),
  ecommerce_rate_limited_total: counter('Requests refused with 429.', 'limit'),
  ecommerce_logins_total: counter('Sign-ins by outcome.', 'outcome'),
  ecommerce_sessions_revoked_total: counter('Sessions that were ended before their time.'),
  ecommerce_session_reuse_total: counter('Spent refresh tokens that came back.'),
  ecommerce_mails_total: counter('Mails handed over, by outcome.', 'outcome'),
  ecommerce_rate_limiter_unreachable_total: counter('Requests that went on because Redis did not answer in time.'),
  ecommerce_orders_created_total: counter('Orders confirmed.'),
  ecommerce_order_value_dollars: {
    kind: 'histogram',
    help: 'Totals of confirmed orders in major units of their currency.',
    labels: ['currency'],
    buckets: ORDER_VALUE_BUCKETS,
    unit: 'minor_units',
  },
  ecommerce_payments_processed_total: counter('Payments captured or authorized.', 'provider'),
  ecommerce_payments_failed_total: counter('Payments declined.', 'provider'),
  ecommerce_payment_failure_reasons_total: counter('Declines by reason.', 'provider', 'reason'),
  ecommerce_payments_in_doubt_total: counter('Provider calls whose outcome was not known.', 'provider'),
  ecommerce_payment_requests_total: counter(
    'Captures, voids and refunds asked for, by what came of it.',
    'kind',
    'outcome',
  ),
  ecommerce_payment_requests_open: gauge('Captures, voids and refunds whose outcome is not known.'),
  ecommerce_payment_webhooks_waiting: gauge('What providers told and that could not be applied yet.'),
  ecommerce_payment_webhooks_given_up: gauge('What providers told and that is not looked at again by itself.'),
  ecommerce_checkout_step_total: counter('Steps of the way to an order that were done.', 'step'),
  ecommerce_outbox_pending: gauge('Events not delivered yet.'),
  ecommerce_outbox_oldest_seconds: gauge('Age of the oldest event that is due.'),
  ecommerce_outbox_dead: gauge('Events given up after their last attempt.'),
  ecommerce_stock_reserved_units: gauge('Units promised to orders that are not confirmed.'),
  ecommerce_stock_out_skus: gauge('Active SKUs with nothing left to sell.'),
  ecommerce_reservations_stuck: gauge('Reservations older than an hour.'),
  ecommerce_orders_pending: gauge('Orders waiting for their payment.'),
  ecommerce_tick_last_success_timestamp_seconds: gauge('When the clockwork last ran to its end.'),
  ecommerce_runtime_isolates: gauge('Isolates that flushed in the last five minutes.'),
  ecommerce_runtime_flush_lag_seconds: gauge('Age of the oldest observation in the last flush.'),
  ecommerce_runtime_flushes_total: counter('Batches of observations taken in.'),
  ecommerce_runtime_flush_duplicates_total: counter('Batches that had been taken in before and were dropped.'),
  ecommerce_runtime_dropped_series_total: counter('Observations of a series beyond the cap.'),
  ecommerce_trace_spans_dropped_total: counter('Spans that never reached the receiver of traces.', 'reason'),
  ecommerce_build_info: gauge('Always 1; labelled with the version.', 'version', 'environment'),
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
export type CounterName = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends 'counter' ? Name : never;
}[MetricName];
export type GaugeName = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends 'gauge' ? Name : never;
}[MetricName];
export type HistogramName = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends 'histogram' ? Name : never;
}[MetricName];

/** A value for each label of the metric, in its order. */
export type LabelValues<Name extends MetricName> = ValuesOf<(typeof METRICS)[Name]['labels']>;
type ValuesOf<Labels extends readonly string[]> = { readonly [Index in keyof Labels]: string };

/** Steps of the funnel, in their order. */
export const FUNNEL_STEPS = ['cart_created', 'item_added', 'address_set', 'shipping_chosen', 'order_placed'] as const;
export type FunnelStep = (typeof FUNNEL_STEPS)[number];

/** Label values that are known beforehand: these series are 0 from the start, or a rate would miss their first count. */
export const KNOWN_LABELS: Partial<Record<CounterName, readonly string[]>> = {
  ecommerce_payments_processed_total: PROVIDERS,
  ecommerce_payments_failed_total: PROVIDERS,
  ecommerce_payments_in_doubt_total: PROVIDERS,
  ecommerce_checkout_step_total: FUNNEL_STEPS,
  ecommerce_rate_limited_total: ['public', 'authenticated', 'login', 'register', 'reset', 'order', 'unknown_key'],
  ecommerce_logins_total: ['success', 'failure', 'locked', 'second_factor_needed'],
  ecommerce_mails_total: ['sent', 'failed'],
  ecommerce_trace_spans_dropped_total: ['queue_full', 'refused', 'unreachable'],
};
