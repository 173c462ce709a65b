import { quantile, rate, series, total, totalBy } from './spec.ts';
import type { Dashboard } from './spec.ts';

const requests = `sum(${rate('ecommerce_http_requests_total')})`;
const hits = total('ecommerce_cache_hits_total');
const misses = total('ecommerce_cache_misses_total');

export const DATABASE: Dashboard = {
  name: 'database-cache',
  title: 'ECommerce Database and Cache',
  description: 'Connections and time of the database, hits of the cache, what a request costs in round trips.',
  from: 'now-6h',
  rows: [
    {
      title: 'Database',
      panels: [
        {
          title: 'Connections',
          description:
            'Open ones of the restricted role and the limit, as the server counts them, sampled once a minute.',
          unit: 'short',
          width: 12,
          queries: [
            { expr: `max(${series('ecommerce_database_connections_open')})`, legend: 'open' },
            { expr: `max(${series('ecommerce_database_connections_max')})`, legend: 'limit' },
          ],
        },
        {
          title: 'Connections Used',
          description: 'DatabaseConnectionPoolNearLimit fires from 90%.',
          unit: 'percentunit',
          width: 12,
          bad: { from: 0.9 },
          queries: [
            {
              expr: `max(${series('ecommerce_database_connections_open')}) / max(${series('ecommerce_database_connections_max')})`,
              legend: 'used',
            },
          ],
        },
        {
          title: 'Time of a Batch',
          description: '95th percentile by kind.',
          unit: 's',
          width: 8,
          queries: [{ expr: quantile(0.95, 'ecommerce_database_query_duration_seconds', 'kind'), legend: '{{kind}}' }],
        },
        {
          title: 'Batches',
          description: 'A second, by kind.',
          unit: 'short',
          width: 8,
          queries: [{ expr: totalBy('kind', 'ecommerce_database_query_duration_seconds_count'), legend: '{{kind}}' }],
        },
        {
          title: 'Batches That Failed',
          description: 'A second, by reason.',
          unit: 'short',
          width: 8,
          queries: [{ expr: totalBy('reason', 'ecommerce_database_errors_total'), legend: '{{reason}}' }],
        },
        {
          title: 'Batches in Flight',
          description: 'Under way in the isolates that flushed last.',
          unit: 'short',
          width: 12,
          queries: [{ expr: `sum(${series('ecommerce_database_statements_in_flight')})`, legend: 'in flight' }],
        },
        {
          title: 'Round Trips per Request',
          description: 'HTTP exchanges with the database and with Redis, for each request answered.',
          unit: 'short',
          width: 12,
          queries: [
            { expr: `${total('ecommerce_database_round_trips_total')} / ${requests}`, legend: 'database' },
            { expr: `${total('ecommerce_redis_round_trips_total')} / ${requests}`, legend: 'Redis' },
          ],
        },
      ],
    },
    {
      title: 'Cache',
      panels: [
        {
          title: 'Cache Reads',
          description: 'A second.',
          unit: 'short',
          width: 12,
          queries: [
            { expr: hits, legend: 'hits' },
            { expr: misses, legend: 'misses' },
          ],
        },
        {
          title: 'Cache Miss Rate',
          description: 'HighCacheMissRate fires from 50%.',
          unit: 'percentunit',
          width: 12,
          bad: { from: 0.5 },
          queries: [{ expr: `${misses} / (${hits} + ${misses})`, legend: 'missed' }],
        },
      ],
    },
  ],
};

export const RUNTIME: Dashboard = {
  name: 'runtime',
  title: 'ECommerce Runtime',
  description:
    "In place of the guide's Go Application Metrics (12486): a Worker has isolates, and no heap or goroutines to read.",
  from: 'now-6h',
  rows: [
    {
      title: 'Isolates',
      panels: [
        {
          title: 'Isolates',
          description: 'That flushed in the last five minutes.',
          unit: 'short',
          width: 8,
          queries: [{ expr: `max(${series('ecommerce_runtime_isolates')})`, legend: 'isolates' }],
        },
        {
          title: 'Versions',
          description: 'Versions that report; more than one for long means a rollout that stands still.',
          unit: 'short',
          width: 8,
          queries: [
            {
              expr: `count by (version, environment) (${series('ecommerce_build_info')})`,
              legend: '{{version}} {{environment}}',
            },
          ],
        },
        {
          title: 'Clockwork',
          description: 'Time since the last run that came to its end. TickNotRunning fires from five minutes.',
          unit: 's',
          width: 8,
          bad: { from: 300 },
          queries: [
            { expr: `time() - max(${series('ecommerce_tick_last_success_timestamp_seconds')})`, legend: 'since' },
          ],
        },
      ],
    },
    {
      title: 'Metrics on their way',
      panels: [
        {
          title: 'Flushes',
          description: 'Batches of observations taken in, a second.',
          unit: 'short',
          width: 6,
          queries: [{ expr: total('ecommerce_runtime_flushes_total'), legend: 'taken in' }],
        },
        {
          title: 'Flush Lag',
          description: 'Age of the oldest observation in the last flush.',
          unit: 's',
          width: 6,
          bad: { from: 30 },
          queries: [{ expr: `max(${series('ecommerce_runtime_flush_lag_seconds')})`, legend: 'lag' }],
        },
        {
          title: 'Flushes Sent Twice',
          description: 'Batches that came again because their answer was lost, and were not counted again.',
          unit: 'short',
          width: 6,
          queries: [{ expr: total('ecommerce_runtime_flush_duplicates_total'), legend: 'duplicates' }],
        },
        {
          title: 'Observations Dropped',
          description: 'Of series beyond the cap. MetricsSeriesDropped fires from one.',
          unit: 'short',
          width: 6,
          bad: { from: 0.001 },
          queries: [{ expr: total('ecommerce_runtime_dropped_series_total'), legend: 'dropped' }],
        },
      ],
    },
    {
      title: 'Traces on their way',
      panels: [
        {
          title: 'Spans Dropped',
          description:
            'A second, by reason: the receiver refused them, it did not answer, or they were too many to wait for it.',
          unit: 'short',
          width: 24,
          bad: { from: 0.001 },
          queries: [{ expr: totalBy('reason', 'ecommerce_trace_spans_dropped_total'), legend: '{{reason}}' }],
        },
      ],
    },
  ],
};
