import type { Dashboard } from './spec.ts';

/** Prometheus's own metrics, as versions 2 and 3 name them. */
export const PROMETHEUS: Dashboard = {
  name: 'prometheus',
  title: 'Prometheus Stats',
  description:
    "In place of the guide's Prometheus Stats (13408): targets, what Prometheus takes in, its rules and its alerts.",
  from: 'now-6h',
  rows: [
    {
      title: 'Targets',
      panels: [
        {
          title: 'Target Status',
          description: '1 where the last scrape worked.',
          unit: 'short',
          width: 8,
          bad: { below: 1 },
          queries: [{ expr: 'min by (job, instance) (up)', legend: '{{job}} {{instance}}' }],
        },
        {
          title: 'Scrape Duration',
          description: 'The shop is given five seconds.',
          unit: 's',
          width: 8,
          bad: { from: 5 },
          queries: [{ expr: 'max by (job, instance) (scrape_duration_seconds)', legend: '{{job}} {{instance}}' }],
        },
        {
          title: 'Samples per Scrape',
          description: 'Grows with the number of series.',
          unit: 'short',
          width: 8,
          queries: [{ expr: 'max by (job, instance) (scrape_samples_scraped)', legend: '{{job}} {{instance}}' }],
        },
      ],
    },
    {
      title: 'Storage',
      panels: [
        {
          title: 'Series',
          description: 'In the head block.',
          unit: 'short',
          width: 8,
          queries: [{ expr: 'sum(prometheus_tsdb_head_series)', legend: 'series' }],
        },
        {
          title: 'Samples Taken In',
          description: 'A second.',
          unit: 'short',
          width: 8,
          queries: [
            { expr: 'sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))', legend: 'samples' },
          ],
        },
        {
          title: 'Memory',
          description: 'Resident.',
          unit: 'bytes',
          width: 8,
          queries: [
            { expr: 'max by (instance) (process_resident_memory_bytes{job="prometheus"})', legend: '{{instance}}' },
          ],
        },
      ],
    },
    {
      title: 'Rules and alerts',
      panels: [
        {
          title: 'Time of a Rule Group',
          description: 'Must stay far under its interval.',
          unit: 's',
          width: 6,
          queries: [
            { expr: 'max by (rule_group) (prometheus_rule_group_last_duration_seconds)', legend: '{{rule_group}}' },
          ],
        },
        {
          title: 'Rule Failures',
          description: 'A second.',
          unit: 'short',
          width: 6,
          bad: { from: 0.001 },
          queries: [
            { expr: 'sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))', legend: 'failures' },
          ],
        },
        {
          title: 'Notifications',
          description: 'Alerts that wait for Alertmanager, and those that were lost, a second.',
          unit: 'short',
          width: 6,
          queries: [
            { expr: 'sum(prometheus_notifications_queue_length)', legend: 'waiting' },
            { expr: 'sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))', legend: 'lost' },
          ],
        },
        {
          title: 'Configuration',
          description: '1 where the last reload worked.',
          unit: 'short',
          width: 6,
          bad: { below: 1 },
          queries: [{ expr: 'min(prometheus_config_last_reload_successful)', legend: 'loaded' }],
        },
      ],
    },
  ],
};
