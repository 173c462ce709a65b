export interface Second {
  requests: number;
  p50Ms: number;
  p95Ms: number;
}

const SIZE = { width: 760, height: 360 };
const PLOT = { left: 60, right: 60, top: 56, bottom: 74 };
const INNER = { width: SIZE.width - PLOT.left - PLOT.right, height: SIZE.height - PLOT.top - PLOT.bottom };
const BASE = PLOT.top + INNER.height;
/** Told apart also by those who do not see red from green. */
const COLORS = { requests: '#cfd8e3', p50: '#0072b2', p95: '#d55e00' };
const TICKS = 4;

/** An SVG with a bar for each second's requests and a line for its median and its 95th percentile, both from 0. */
export function drawTraffic(
  seconds: readonly Second[],
  { title, objectiveMs }: { title: string; objectiveMs: number },
): string {
  const requestsMax = ceiling(Math.max(...seconds.map(({ requests }) => requests)));
  const msMax = ceiling(Math.max(objectiveMs, ...seconds.map(({ p95Ms }) => p95Ms)));
  const slot = INNER.width / seconds.length;
  const x = (second: number) => round(PLOT.left + (second + 0.5) * slot);
  const y = (share: number) => round(BASE - share * INNER.height);
  const line = (of: (second: Second) => number) =>
    seconds.map((second, at) => `${at === 0 ? 'M' : 'L'}${x(at)} ${y(of(second) / msMax)}`).join('');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11" fill="#333">`,
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="#fff"/>`,
    text(16, 26, title, 'font-size="16" font-weight="bold"'),
    ...axes({ requestsMax, msMax, secondsMax: seconds.length }),
    ...seconds.map(({ requests }, at) => {
      const top = y(requests / requestsMax);
      return `<rect x="${round(PLOT.left + at * slot + 1)}" y="${top}" width="${round(slot - 2)}" height="${round(BASE - top)}" fill="${COLORS.requests}"/>`;
    }),
    `<path d="M${PLOT.left} ${y(objectiveMs / msMax)}h${INNER.width}" stroke="${COLORS.p95}" stroke-dasharray="5 4" opacity="0.6"/>`,
    `<path d="${line(({ p50Ms }) => p50Ms)}" fill="none" stroke="${COLORS.p50}" stroke-width="1.6"/>`,
    `<path d="${line(({ p95Ms }) => p95Ms)}" fill="none" stroke="${COLORS.p95}" stroke-width="1.6"/>`,
    ...legend(objectiveMs),
    '</svg>\n',
  ].join('\n');
}

function axes({
  requestsMax,
  msMax,
  secondsMax,
}: {
  requestsMax: number;
  msMax: number;
  secondsMax: number;
}): string[] {
  const parts: string[] = [];
  for (let tick = 0; tick <= TICKS; tick += 1) {
    const share = tick / TICKS;
    const top = round(BASE - share * INNER.height);
    parts.push(`<path d="M${PLOT.left} ${top}h${INNER.width}" stroke="#e3e3e3"/>`);
    parts.push(text(PLOT.left - 6, top + 4, `${share * requestsMax}/s`, 'text-anchor="end" fill="#666"'));
    parts.push(text(PLOT.left + INNER.width + 6, top + 4, `${share * msMax} ms`, 'fill="#666"'));
    const left = round(PLOT.left + share * INNER.width);
    parts.push(text(left, BASE + 16, `${share * secondsMax} s`, 'text-anchor="middle" fill="#666"'));
  }
  return parts;
}

function legend(objectiveMs: number): string[] {
  const entries = [
    [COLORS.requests, 'requests each second'],
    [COLORS.p50, 'median of that second'],
    [COLORS.p95, `95th percentile (objective ${objectiveMs} ms, dashed)`],
  ] as const;
  return entries.flatMap(([color, words], at) => {
    const left = PLOT.left + at * 190;
    return [
      `<rect x="${left}" y="${BASE + 34}" width="10" height="8" fill="${color}"/>`,
      text(left + 16, BASE + 42, words, ''),
    ];
  });
}

/** The next number that its four ticks divide evenly. */
function ceiling(value: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1) * TICKS;
  return Math.ceil(value / step) * step;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function text(x: number, y: number, words: string, attributes: string): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
