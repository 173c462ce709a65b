import { FUNNEL_STEPS } from '../../src/platform/telemetry/names.ts';
import { quantile, rate, series, total, totalBy } from './spec.ts';
import type { Dashboard } from './spec.ts';

const errorShare = `${total('ecommerce_http_errors_total')} / sum(${rate('ecommerce_http_requests_total')})`;
const successShare = `${total('ecommerce_http_requests_total', 'status=~"[23].."')} / sum(${rate('ecommerce_http_requests_total', 'status!~"401|404|429"')})`;

/** Rate, errors and duration. */
export const API: Dashboard = {
  name: 'api',
  title: 'ECommerce API',
  description: 'Rate, errors and duration of the requests.',
  from: 'now-6h',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Requests',
          description: 'Requests answered a second.',
          unit: 'reqps',
          width: 6,
          kind: 'number',
          queries: [{ expr: total('ecommerce_http_requests_total'), legend: 'requests' }],
        },
        {
          title: 'Error Rate',
          description: 'Share of the requests that end in a 5xx. HighErrorRate fires from 5%.',
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { from: 0.05 },
          queries: [{ expr: errorShare, legend: '5xx' }],
        },
        {
          title: 'Success Rate',
          description:
            'Share of 2xx and 3xx, without what callers do wrong (401, 404, 429). LowSuccessRate fires under 95%.',
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { below: 0.95 },
          queries: [{ expr: successShare, legend: 'success' }],
        },
        {
          title: '95th Percentile',
          description: 'The SLO is 300 ms; HighLatency fires over 1 s.',
          unit: 's',
          width: 6,
          kind: 'number',
          bad: { from: 0.3 },
          queries: [{ expr: quantile(0.95, 'ecommerce_http_request_duration_seconds'), legend: 'p95' }],
        },
      ],
    },
    {
      title: 'Rate',
      panels: [
        {
          title: 'Requests by Status',
          description: 'Requests a second.',
          unit: 'reqps',
          width: 12,
          queries: [{ expr: totalBy('status', 'ecommerce_http_requests_total'), legend: '{{status}}' }],
        },
        {
          title: 'Requests by Route',
          description: 'Requests a second of each route and method.',
          unit: 'reqps',
          width: 12,
          queries: [
            { expr: totalBy('method, route', 'ecommerce_http_requests_total'), legend: '{{method}} {{route}}' },
          ],
        },
      ],
    },
    {
      title: 'Errors',
      panels: [
        {
          title: 'Errors by Route',
          description: '5xx a second.',
          unit: 'reqps',
          width: 12,
          queries: [{ expr: totalBy('method, route', 'ecommerce_http_errors_total'), legend: '{{method}} {{route}}' }],
        },
        {
          title: 'Refused by Rate Limit',
          description:
            '429 a second, by the limit that refused; and requests that nothing limited because Redis did not answer.',
          unit: 'reqps',
          width: 12,
          queries: [
            { expr: totalBy('limit', 'ecommerce_rate_limited_total'), legend: '{{limit}}' },
            { expr: total('ecommerce_rate_limiter_unreachable_total'), legend: 'not limited' },
          ],
        },
      ],
    },
    {
      title: 'Duration',
      panels: [
        {
          title: 'Duration',
          description: 'Time from the request to its reply.',
          unit: 's',
          width: 12,
          queries: [0.5, 0.95, 0.99].map((share) => ({
            expr: quantile(share, 'ecommerce_http_request_duration_seconds'),
            legend: `p${share * 100}`,
          })),
        },
        {
          title: '95th Percentile by Route',
          description: 'Each route by itself; rare ones jump.',
          unit: 's',
          width: 12,
          queries: [
            {
              expr: quantile(0.95, 'ecommerce_http_request_duration_seconds', 'method', 'route'),
              legend: '{{method}} {{route}}',
            },
          ],
        },
      ],
    },
  ],
};

const paid = total('ecommerce_payments_processed_total');
const declined = total('ecommerce_payments_failed_total');

/** The guide's business dashboard, and what an order goes through. */
export const BUSINESS: Dashboard = {
  name: 'business',
  title: 'ECommerce Business Metrics',
  description: 'Orders, revenue by currency, payments, the way through checkout, stock and events.',
  from: 'now-24h',
  rows: [
    {
      title: 'Sales',
      panels: [
        {
          title: 'Orders Per Minute',
          description: 'Orders confirmed.',
          unit: 'short',
          width: 8,
          queries: [{ expr: `${total('ecommerce_orders_created_total')} * 60`, legend: 'orders' }],
        },
        {
          title: 'Revenue Per Hour',
          description: 'In major units, a line for each currency: amounts of two currencies are never added.',
          unit: 'short',
          width: 8,
          queries: [
            { expr: `${totalBy('currency', 'ecommerce_order_value_dollars_sum')} * 3600`, legend: '{{currency}}' },
          ],
        },
        {
          title: 'Payment Success Rate',
          description: 'Payments captured or authorized among all that were answered.',
          unit: 'percentunit',
          width: 8,
          bad: { below: 0.7 },
          queries: [{ expr: `${paid} / (${paid} + ${declined})`, legend: 'success' }],
        },
        {
          title: 'Order Value',
          description: 'Median and 95th percentile, by currency.',
          unit: 'short',
          width: 12,
          queries: [0.5, 0.95].map((share) => ({
            expr: quantile(share, 'ecommerce_order_value_dollars', 'currency'),
            legend: `{{currency}} p${share * 100}`,
          })),
        },
        {
          title: 'Checkout Funnel',
          description: 'Steps done in the time range, in their order.',
          unit: 'short',
          width: 12,
          kind: 'bars',
          queries: FUNNEL_STEPS.map((step) => ({
            expr: `sum(increase(${series('ecommerce_checkout_step_total', `step="${step}"`)}[$__range]))`,
            legend: step,
          })),
        },
      ],
    },
    {
      title: 'Payments',
      panels: [
        {
          title: 'Payments by Provider',
          description: 'Payments a second that went through and that were declined.',
          unit: 'short',
          width: 6,
          queries: [
            { expr: totalBy('provider', 'ecommerce_payments_processed_total'), legend: '{{provider}} processed' },
            { expr: totalBy('provider', 'ecommerce_payments_failed_total'), legend: '{{provider}} failed' },
          ],
        },
        {
          title: 'Declines by Reason',
          description: 'A second.',
          unit: 'short',
          width: 6,
          queries: [
            {
              expr: totalBy('provider, reason', 'ecommerce_payment_failure_reasons_total'),
              legend: '{{provider}} {{reason}}',
            },
          ],
        },
        {
          title: 'Payments in Doubt',
          description: 'Calls a minute whose outcome was not known; the clockwork settles them.',
          unit: 'short',
          width: 6,
          bad: { from: 1 },
          queries: [
            { expr: `${totalBy('provider', 'ecommerce_payments_in_doubt_total')} * 60`, legend: '{{provider}}' },
          ],
        },
        {
          title: 'Provider Events Unapplied',
          description: 'Webhooks that the clockwork looks at again, and those that it has given up.',
          unit: 'short',
          width: 6,
          queries: [
            { expr: `max(${series('ecommerce_payment_webhooks_waiting')})`, legend: 'waiting' },
            { expr: `max(${series('ecommerce_payment_webhooks_given_up')})`, legend: 'given up' },
          ],
        },
      ],
    },
    {
      title: 'Orders and stock',
      panels: [
        {
          title: 'Orders Pending',
          description: 'Orders that wait for their payment.',
          unit: 'short',
          width: 6,
          queries: [{ expr: `max(${series('ecommerce_orders_pending')})`, legend: 'pending' }],
        },
        {
          title: 'Units Reserved',
          description: 'Promised to orders that are not confirmed.',
          unit: 'short',
          width: 6,
          queries: [{ expr: `max(${series('ecommerce_stock_reserved_units')})`, legend: 'units' }],
        },
        {
          title: 'Reservations Stuck',
          description: 'Older than an hour.',
          unit: 'short',
          width: 6,
          bad: { from: 1 },
          queries: [{ expr: `max(${series('ecommerce_reservations_stuck')})`, legend: 'stuck' }],
        },
        {
          title: 'SKUs Sold Out',
          description: 'Active SKUs with nothing left to sell.',
          unit: 'short',
          width: 6,
          queries: [{ expr: `max(${series('ecommerce_stock_out_skus')})`, legend: 'sold out' }],
        },
      ],
    },
    {
      title: 'Events',
      panels: [
        {
          title: 'Events Waiting',
          description: 'Not delivered yet.',
          unit: 'short',
          width: 8,
          queries: [{ expr: `max(${series('ecommerce_outbox_pending')})`, legend: 'pending' }],
        },
        {
          title: 'Oldest Event Due',
          description: 'OutboxLagging fires from ten minutes.',
          unit: 's',
          width: 8,
          bad: { from: 600 },
          queries: [{ expr: `max(${series('ecommerce_outbox_oldest_seconds')})`, legend: 'age' }],
        },
        {
          title: 'Events Dead',
          description: 'Given up after their last attempt.',
          unit: 'short',
          width: 8,
          bad: { from: 1 },
          queries: [{ expr: `max(${series('ecommerce_outbox_dead')})`, legend: 'dead' }],
        },
      ],
    },
  ],
};
