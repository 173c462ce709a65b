import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { plotPanels } from './panels.ts';

/**
 * plot.ts PROMETHEUS_URL OUT.svg [--minutes 30] [--end UNIX_SECONDS] [--rate-interval 1m] [--png OUT.png]: draws the main
 * panels; the PNG is a headless Chromium's picture of the SVG.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '30' },
    end: { type: 'string' },
    'rate-interval': { type: 'string', default: '1m' },
    png: { type: 'string' },
  },
});
const [prometheusUrl, out] = positionals;
if (prometheusUrl === undefined || out === undefined)
  throw new Error('Usage: plot.ts PROMETHEUS_URL OUT.svg [--minutes 30]');

const endS = values.end === undefined ? Date.now() / 1000 : Number(values.end);
const startS = endS - Number(values.minutes) * 60;
const svg = await plotPanels(prometheusUrl, { startS, endS, rateInterval: values['rate-interval'] });
writeFileSync(out, svg);
console.log(out);
if (values.png !== undefined) {
  photograph(out, values.png, svg);
  console.log(values.png);
}

function photograph(svgFile: string, pngFile: string, svg: string): void {
  const size = /viewBox="0 0 (\d+) (\d+)"/.exec(svg);
  if (size === null) throw new Error(`${svgFile} has no viewBox`);
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--user-data-dir=${profile}`];
  try {
    execFileSync(
      'chromium',
      [
        ...flags,
        `--window-size=${size[1]},${size[2]}`,
        `--screenshot=${resolve(pngFile)}`,
        pathToFileURL(svgFile).href,
      ],
      { stdio: 'ignore', timeout: 60_000 },
    );
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}
