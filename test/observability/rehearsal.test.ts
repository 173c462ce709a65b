import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { serveMetrics } from './exposition.ts';
import { installed, startAlertmanager, startPrometheus, until } from './programs.ts';

const Notification = z.object({
  receiver: z.string(),
  status: z.string(),
  alerts: z.array(
    z.object({
      status: z.string(),
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()),
    }),
  ),
});

/** Remembers every notification by the path it came on. */
async function listen() {
  const received: { path: string; notification: z.infer<typeof Notification> }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      received.push({ path: request.url ?? '', notification: Notification.parse(JSON.parse(body)) });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, close };
}

/** A shop that has never answered anything but 503. */
const failing = (second: number): string =>
  ['ecommerce_http_requests_total', 'ecommerce_http_errors_total']
    .map(
      (name) =>
        `# TYPE ${name} counter\n${name}{method="GET",route="/api/v1/products",status="503"} ${Math.floor(20 * second)}\n`,
    )
    .join('');

/** Minutes become seconds: 5m is 5s. What is longer stays long enough to be irrelevant. */
const toSeconds = (duration: string): string => duration.replace(/m$/, 's');

test.skipIf(!installed('prometheus', 'prometheus-alertmanager'))(
  'a failing shop reaches whoever is on call, through Prometheus and Alertmanager',
  async () => {
    const shop = await serveMetrics(failing);
    const pager = await listen();
    const alertmanager = await startAlertmanager(pager.url);
    const prometheus = await startPrometheus({
      shop: shop.address,
      token: 'scrape-me',
      alertmanager: new URL(alertmanager.url).host,
      everyS: 1,
      shorten: toSeconds,
    });
    try {
      const { path, notification } = await until('a notification of HighErrorRate', 45_000, () =>
        pager.received.find(({ notification }) =>
          notification.alerts.some(({ labels }) => labels['alertname'] === 'HighErrorRate'),
        ),
      );
      expect(path).toBe('/on-call');
      expect(notification).toMatchObject({ receiver: 'on-call', status: 'firing' });
      expect(notification.alerts[0]).toMatchObject({
        labels: { alertname: 'HighErrorRate', severity: 'critical', environment: 'prod', cluster: 'production' },
        annotations: { description: '100% of requests end in a 5xx (more than 5%).' },
      });
      expect(new Set(shop.authorizations)).toEqual(new Set(['Bearer scrape-me']));
    } finally {
      await prometheus.stop();
      await alertmanager.stop();
      pager.close();
      await shop.close();
    }
  },
);
