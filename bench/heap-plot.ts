export interface HeapPoint {
  requests: number;
  bytes: number;
}

/** What is fitted through measured points: bytes a request by least squares, and the heap at the first request. */
export interface HeapTrend {
  bytesARequest: number;
  startBytes: number;
}

export interface HeapSeries {
  name: string;
  points: readonly HeapPoint[];
}

const SIZE = { width: 760, height: 400 };
const PLOT = { left: 76, right: 24, top: 64, bottom: 92 };
const INNER = { width: SIZE.width - PLOT.left - PLOT.right, height: SIZE.height - PLOT.top - PLOT.bottom };
const BASE = PLOT.top + INNER.height;
/** Told apart also by those who do not see red from green. */
const COLORS = ['#0072b2', '#d55e00'];
const TICKS = 4;
const MIB = 2 ** 20;

export function trendOf(points: readonly HeapPoint[]): HeapTrend {
  const mean = (of: (point: HeapPoint) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(({ requests }) => requests), mean(({ bytes }) => bytes)];
  const covariance = mean(({ requests, bytes }) => (requests - x) * (bytes - y));
  const bytesARequest = covariance / mean(({ requests }) => (requests - x) ** 2);
  return { bytesARequest, startBytes: y - bytesARequest * x };
}

/** An SVG of heap bytes over requests with the trend of each series, from 0 so that nothing looks steeper than it is. */
export function drawHeap(
  series: readonly HeapSeries[],
  { title, caption }: { title: string; caption: string },
): string {
  const points = series.flatMap((one) => one.points);
  const requestsMax = Math.max(...points.map(({ requests }) => requests));
  const mibMax = Math.ceil(Math.max(...points.map(({ bytes }) => bytes)) / MIB / TICKS) * TICKS;
  const x = (requests: number) => round(PLOT.left + (requests / requestsMax) * INNER.width);
  const y = (bytes: number) => round(BASE - (bytes / MIB / mibMax) * INNER.height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" width="${SIZE.width}" height="${SIZE.height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11" fill="#333">`,
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="#fff"/>`,
    text(16, 24, title, 'font-size="16" font-weight="bold"'),
    text(16, 43, caption, 'fill="#666"'),
    ...axes({ requestsMax, mibMax }),
    ...series.flatMap((one, index) => drawSeries(one, { index, requestsMax, x, y })),
    '</svg>\n',
  ].join('\n');
}

function axes({ requestsMax, mibMax }: { requestsMax: number; mibMax: number }): string[] {
  const parts: string[] = [];
  for (let tick = 0; tick <= TICKS; tick += 1) {
    const share = tick / TICKS;
    const [left, top] = [round(PLOT.left + share * INNER.width), round(BASE - share * INNER.height)];
    parts.push(`<path d="M${PLOT.left} ${top}h${INNER.width}" stroke="#e3e3e3"/>`);
    parts.push(text(PLOT.left - 6, top + 4, `${share * mibMax} MiB`, 'text-anchor="end" fill="#666"'));
    const requests = Math.round(share * requestsMax).toLocaleString('en');
    parts.push(text(left, BASE + 16, requests, 'text-anchor="middle" fill="#666"'));
  }
  parts.push(text(PLOT.left + INNER.width / 2, BASE + 34, 'requests after the warm-up', 'text-anchor="middle"'));
  return parts;
}

interface Placing {
  index: number;
  requestsMax: number;
  x: (requests: number) => number;
  y: (bytes: number) => number;
}

function drawSeries({ name, points }: HeapSeries, { index, requestsMax, x, y }: Placing): string[] {
  const color = COLORS[index % COLORS.length] ?? '#000';
  const { bytesARequest, startBytes } = trendOf(points);
  const line = points.map(({ requests, bytes }, n) => `${n === 0 ? 'M' : 'L'}${x(requests)} ${y(bytes)}`).join('');
  const trend = `M${x(0)} ${y(startBytes)}L${x(requestsMax)} ${y(startBytes + bytesARequest * requestsMax)}`;
  const legendY = BASE + 56 + index * 18;
  return [
    `<path d="${line}" fill="none" stroke="${color}" stroke-width="1.6"/>`,
    ...points.map(({ requests, bytes }) => `<circle cx="${x(requests)}" cy="${y(bytes)}" r="3" fill="${color}"/>`),
    `<path d="${trend}" stroke="${color}" stroke-dasharray="5 4" opacity="0.6"/>`,
    `<rect x="${PLOT.left}" y="${legendY - 8}" width="10" height="8" fill="${color}"/>`,
    text(PLOT.left + 16, legendY, `${name}: ${bytesARequest.toFixed(1)} bytes a request (least squares, dashed)`, ''),
  ];
}

const round = (value: number): number => Math.round(value * 10) / 10;

function text(x: number, y: number, words: string, attributes: string): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
