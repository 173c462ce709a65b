import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkLive } from '../../dev/dashboards/live.ts';
import { plotPanels } from '../../dev/dashboards/panels.ts';
import { query } from '../../dev/dashboards/prometheus-client.ts';
import { exposition, serveMetrics } from './exposition.ts';
import { installed, startPrometheus, until } from './programs.ts';
import type { ScrapedShop } from './exposition.ts';
import type { Program } from './programs.ts';

const WINDOWS = { rateInterval: '10s', range: '1m' };
const isBad = ({ verdict }: { verdict: string }): boolean => verdict !== 'data';

describe.skipIf(!installed('prometheus'))('against a real Prometheus that scrapes a shop with every metric', () => {
  let shop: ScrapedShop;
  let prometheus: Program;
  let hidden = '';

  beforeAll(async () => {
    const visible = (text: string): string =>
      hidden === '' ? text : text.replaceAll(new RegExp(`^${hidden}\\b.*\\n`, 'gm'), '');
    shop = await serveMetrics((second, nowS) => visible(exposition(second, nowS)));
    prometheus = await startPrometheus({ shop: shop.address, token: 'scrape-me', everyS: 1 });
  });

  afterAll(async () => {
    await prometheus?.stop();
    await shop?.close();
  });

  test('every panel, every record and the left side of every comparison has data', async () => {
    const checked = await until('data for all', 40_000, async () => {
      const all = await checkLive(prometheus.url, WINDOWS);
      return all.some(isBad) ? undefined : all;
    });
    expect(checked.length).toBeGreaterThan(150);
  });

  test('the main panels are drawn from its data, and the drawing says by what', async () => {
    const endS = Date.now() / 1000;
    const svg = await plotPanels(prometheus.url, { startS: endS - 60, endS, rateInterval: '10s' });
    expect(svg).toContain('Drawn by dev/dashboards/plot.ts (not by Grafana) from a real Prometheus');
    for (const words of ['Revenue Per Hour', '>EUR<', '>USD<', '>p95<']) expect(svg).toContain(words);
    expect(svg).not.toContain('no data');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg.match(/stroke-width="1.6"/g)!.length).toBeGreaterThan(20);
  });

  test('a metric that is no longer sent is noticed, also behind "or vector(0)"', async () => {
    hidden = 'ecommerce_cache_hits_total';
    const gone = async (): Promise<true | undefined> =>
      (await query(prometheus.url, hidden)).length === 0 ? true : undefined;
    await until('the series to go stale', 20_000, gone);
    const bad = (await checkLive(prometheus.url, WINDOWS)).filter(isBad);
    expect(bad.map(({ what, verdict }) => `${what}: ${verdict}`)).toEqual(['ecommerce_cache_hits_total: empty']);
    const excepted = (await checkLive(prometheus.url, WINDOWS, /^ecommerce_cache/)).filter(isBad);
    expect(excepted.map(({ verdict }) => verdict)).toEqual(['excepted']);
  });
});
