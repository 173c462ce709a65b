import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FUNNEL_STEPS, METRICS } from '../../src/platform/telemetry/names.ts';
import type { MetricDefinition } from '../../src/platform/telemetry/names.ts';

/** Values for the labels of the shop's metrics, so that each has more than one series where it may. */
const LABEL_VALUES: Record<string, readonly string[]> = {
  method: ['GET', 'POST'],
  route: ['/api/v1/products', '/api/v1/orders'],
  status: ['200', '201', '302', '404', '503'],
  currency: ['EUR', 'USD'],
  provider: ['test'],
  step: FUNNEL_STEPS,
};

/** A shop's metrics `second` seconds after its start: each counter has grown by 10 a second in each of its series. */
export function exposition(second: number, nowS: number): string {
  return Object.entries<MetricDefinition>(METRICS)
    .map(([name, metric]) => family(name, metric, second, nowS))
    .join('');
}

function family(name: string, metric: MetricDefinition, second: number, nowS: number): string {
  const lines = [`# HELP ${name} ${metric.help}`, `# TYPE ${name} ${metric.kind}`];
  for (const labels of combinations(metric.labels)) {
    if (metric.kind === 'histogram') {
      const bounds = [...(metric.buckets ?? []), Infinity];
      for (const [index, bound] of bounds.entries()) {
        const below = Math.floor((10 * second * (index + 1)) / bounds.length);
        lines.push(`${name}_bucket${braces({ ...labels, le: bound === Infinity ? '+Inf' : String(bound) })} ${below}`);
      }
      lines.push(`${name}_sum${braces(labels)} ${25 * second}`, `${name}_count${braces(labels)} ${10 * second}`);
    } else if (metric.kind === 'counter') {
      lines.push(`${name}${braces(labels)} ${10 * second}`);
    } else {
      lines.push(`${name}${braces(labels)} ${name.endsWith('_timestamp_seconds') ? nowS : 7}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function combinations(names: readonly string[]): Record<string, string>[] {
  const [first, ...rest] = names;
  if (first === undefined) return [{}];
  const values = LABEL_VALUES[first] ?? ['one', 'two'];
  return combinations(rest).flatMap((other) => values.map((value) => ({ [first]: value, ...other })));
}

function braces(labels: Record<string, string>): string {
  const inner = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return inner.length === 0 ? '' : `{${inner.join(',')}}`;
}

export interface ScrapedShop {
  /** host:port */
  address: string;
  /** Authorization headers of the scrapes so far. */
  authorizations: (string | undefined)[];
  close(): Promise<void>;
}

/** A server whose /metrics answers `text`, given the seconds since its start and the Unix time. */
export async function serveMetrics(text: (second: number, nowS: number) => string): Promise<ScrapedShop> {
  const started = Date.now();
  const authorizations: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    const now = Date.now();
    response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
    response.end(text((now - started) / 1000, now / 1000));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorizations,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
