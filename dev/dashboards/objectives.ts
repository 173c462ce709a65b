import { series } from './spec.ts';
import type { Dashboard, Panel } from './spec.ts';

const ranged = (selector: string): string => `sum(increase(${selector}[$__range]))`;
const errors = `(${ranged(series('ecommerce_http_errors_total'))} or vector(0))`;
const answered = ranged(series('ecommerce_http_requests_total'));
const fast = ranged(series('ecommerce_http_request_duration_seconds_bucket', 'le="0.3"'));
const timed = ranged(series('ecommerce_http_request_duration_seconds_count'));

function burn(title: string, record: string, budget: number): Panel {
  return {
    title,
    description:
      'How many times faster than the objective allows, over the windows of the alerts: 14.4 and 6 wake someone, 3 and 1 tell someone.',
    unit: 'x',
    width: 12,
    bad: { from: 1 },
    queries: ['5m', '30m', '1h', '2h', '6h', '1d', '3d'].map((window) => ({
      expr: `${record}:ratio_rate${window} / ${budget}`,
      legend: window,
    })),
  };
}

/** 99.9% without a 5xx and 95% within 300 ms, as rules/slo.yml has them. */
export const OBJECTIVES: Dashboard = {
  name: 'slo',
  title: 'ECommerce SLO',
  description: 'Objectives over 30 days: 99.9% of requests without a 5xx, 95% of them within 300 ms.',
  from: 'now-7d',
  rows: [
    {
      title: 'Availability: 99.9%',
      panels: [
        {
          title: 'Availability',
          description: 'Over the time range.',
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { below: 0.999 },
          queries: [{ expr: `1 - ${errors} / ${answered}`, legend: 'available' }],
        },
        {
          title: 'Error Budget Left',
          description: "Of the time range's own budget; under 0 the objective is missed.",
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { below: 0 },
          queries: [{ expr: `1 - ${errors} / ${answered} / 0.001`, legend: 'left' }],
        },
        burn('Burn Rate of Availability', 'ecommerce:http_errors', 0.001),
      ],
    },
    {
      title: 'Latency: 95% within 300 ms',
      panels: [
        {
          title: 'Within 300 ms',
          description: 'Over the time range.',
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { below: 0.95 },
          queries: [{ expr: `${fast} / ${timed}`, legend: 'in time' }],
        },
        {
          title: 'Latency Budget Left',
          description: "Of the time range's own budget; under 0 the objective is missed.",
          unit: 'percentunit',
          width: 6,
          kind: 'number',
          bad: { below: 0 },
          queries: [{ expr: `1 - (1 - ${fast} / ${timed}) / 0.05`, legend: 'left' }],
        },
        burn('Burn Rate of Latency', 'ecommerce:http_slow_requests', 0.05),
      ],
    },
  ],
};
