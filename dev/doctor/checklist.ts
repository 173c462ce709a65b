import type { Finding } from './check.ts';

/** A line of the production checklist and what proves it. */
export interface Line {
  item: string;
  /** Ids of the doctor's checks, which look at one deployment. */
  checks: readonly string[];
  /** Tests, which hold for all of them. */
  tests: readonly { file: string; name: string }[];
  /** Of `npm run rehearse`. */
  rehearsals?: readonly string[];
}

/** The production checklist, in its order. */
export const CHECKLIST: readonly Line[] = [
  {
    item: 'Strong JWT secrets generated',
    checks: ['jwt-secrets'],
    tests: [{ file: 'test/production/guide.test.ts', name: 'openssl rand makes secrets that the configuration takes' }],
  },
  {
    item: 'TLS/SSL configured',
    checks: ['tls', 'certificate'],
    tests: [
      { file: 'test/self-hosted/tls.test.ts', name: 'speaks TLS 1.3 and nothing older, as openssl sees it' },
      { file: 'test/self-hosted/nginx.test.ts', name: 'does not speak TLS 1.1' },
    ],
  },
  {
    item: 'Database SSL enabled',
    checks: ['database-tls'],
    tests: [{ file: 'test/self-hosted/postgres-endpoint.test.ts', name: 'require encrypts, whoever answers' }],
  },
  {
    item: 'Redis password set',
    checks: ['redis-password'],
    tests: [
      {
        file: 'test/self-hosted/redis-endpoint.test.ts',
        name: 'tells nothing to whoever has no password or another',
      },
    ],
  },
  {
    item: 'Rate limiting enabled',
    checks: ['rate-limits', 'rate-limits-live'],
    tests: [
      {
        file: 'test/http/rate-limit.test.ts',
        name: 'exactly as many pass as the limit allows, and each is told where it stands',
      },
    ],
  },
  {
    item: 'Security headers configured',
    checks: ['security-headers'],
    tests: [{ file: 'test/http/headers.test.ts', name: '%s: tells a browser to run, frame and guess nothing' }],
  },
  {
    item: 'CORS origins whitelisted',
    checks: ['cors', 'cors-live'],
    tests: [{ file: 'test/http/headers.test.ts', name: 'that is listed may ask and read' }],
  },
  {
    item: 'Prometheus scraping configured',
    checks: ['metrics-token', 'metrics', 'prometheus'],
    tests: [
      { file: 'test/observability/promtool.test.ts', name: 'check config, with a token where it says' },
      { file: 'test/metrics/scrape.test.ts', name: 'only the bearer of METRICS_TOKEN reads the counts' },
    ],
  },
  {
    item: 'Grafana dashboards imported',
    checks: ['grafana'],
    tests: [
      {
        file: 'test/self-hosted/compose.test.ts',
        name: 'Grafana, Loki and Alloy speak to parts that are there',
      },
    ],
  },
  {
    item: 'Alerting rules configured',
    checks: ['alert-rules'],
    tests: [
      {
        file: 'test/observability/promtool.test.ts',
        name: 'sees each alert fire when it should, and stay silent when it should',
      },
    ],
  },
  {
    item: 'Log aggregation setup',
    checks: ['logs'],
    tests: [
      {
        file: 'test/telemetry/loki.test.ts',
        name: 'lines go to Loki by service, env and level alone, in nanoseconds, oldest first, packed',
      },
      {
        file: 'test/self-hosted/log-output.test.ts',
        name: 'keeps every line once, whole and in order, over three rotations under load',
      },
    ],
  },
  {
    item: 'Backup strategy implemented',
    checks: ['backups'],
    tests: [
      { file: 'test/production/restore-drill.test.ts', name: 'is made, restored beside the shop, and sound' },
      {
        file: 'test/production/backup.test.ts',
        name: 'is kept 14 days, or as long as told, and never removed before there is a newer one',
      },
    ],
  },
  {
    item: 'Monitoring dashboards created',
    checks: [],
    tests: [
      { file: 'test/observability/expressions.test.ts', name: 'have the panels of the guide by their names' },
      {
        file: 'test/metrics/prometheus.test.ts',
        name: 'every panel and the left side of every alert has data',
      },
    ],
  },
  {
    item: 'Incident response plan documented',
    checks: [],
    tests: [
      {
        file: 'test/observability/runbook.test.ts',
        name: 'there is one for each alert, and for nothing else but how to respond',
      },
    ],
  },
  {
    item: 'Load testing completed',
    checks: [],
    tests: [
      {
        file: 'test/inventory/oversell.test.ts',
        name: '500 buyers at once over 5 SKUs of 20 and kits that share them: every unit is sold, and none twice',
      },
    ],
    rehearsals: ['ten-times-traffic', 'flash-sale'],
  },
  {
    item: 'Health checks verified',
    checks: ['health'],
    tests: [
      { file: 'test/health/health.test.ts', name: 'live says that the Worker runs, and asks nobody' },
      { file: 'test/self-hosted/kubernetes.test.ts', name: 'probes and limits' },
    ],
  },
  {
    item: 'Horizontal scaling tested',
    checks: [],
    tests: [
      {
        file: 'test/self-hosted/replicas.test.ts',
        name: 'one is killed and replaced, one is drained and replaced, and a migration runs: nothing is lost, nothing is done twice',
      },
      {
        file: 'test/self-hosted/kubernetes.test.ts',
        name: 'from three to ten replicas at 70 % of the CPU or 80 % of the memory, and never fewer than two',
      },
    ],
    rehearsals: ['replica-killed'],
  },
];

/** Everything besides the doctor that a line rests on, once each. */
export function proofsOf({ tests, rehearsals = [] }: Line): string[] {
  return [...new Set(tests.map(({ file }) => file)), ...rehearsals.map((name) => `npm run rehearse -- ${name}`)];
}

/** How a line stands: what failed counts more than what passed, and what nobody asked is open. */
export function standingOf(line: Line, findings: readonly Finding[]): Finding['result'] | 'tested' {
  if (line.checks.length === 0) return 'tested';
  const results = new Set(findings.filter(({ id }) => line.checks.includes(id)).map(({ result }) => result));
  if (results.has('fail')) return 'fail';
  return results.has('pass') ? 'pass' : 'skipped';
}
