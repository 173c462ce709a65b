import type { Line } from './prometheus-client.ts';

/** A panel with the data that its expressions had. */
export interface Drawn {
  title: string;
  unit: string;
  lines: { name: string; points: Line['points'] }[];
}

const COLUMNS = 3;
const CELL = { width: 400, height: 230 };
const PLOT = { left: 52, right: 14, top: 34, bottom: 62 };
const HEADER = 54;
const LEGEND_MAX = 4;
/** Told apart also by those who do not see red from green. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#666666'];

/** An SVG of the panels on one time axis each, `caption` over them. Times in Unix seconds. */
export function drawPanels(
  panels: readonly Drawn[],
  options: { caption: string; startS: number; endS: number },
): string {
  const width = COLUMNS * CELL.width;
  const height = HEADER + Math.ceil(panels.length / COLUMNS) * CELL.height;
  const cells = panels.map((panel, index) => {
    const x = (index % COLUMNS) * CELL.width;
    const y = HEADER + Math.floor(index / COLUMNS) * CELL.height;
    return `<g transform="translate(${x} ${y})">\n${drawPanel(panel, options)}\n</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11" fill="#333">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(16, 24, 'Panels of observability/dashboards', 'font-size="16" font-weight="bold"'),
    text(16, 43, options.caption, 'fill="#666"'),
    ...cells,
    '</svg>\n',
  ].join('\n');
}

function drawPanel(panel: Drawn, { startS, endS }: { startS: number; endS: number }): string {
  const values = panel.lines.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const top = niceTop(Math.max(...values, 0), panel.unit);
  const bottom = Math.min(...values, 0);
  const inner = { width: CELL.width - PLOT.left - PLOT.right, height: CELL.height - PLOT.top - PLOT.bottom };
  const x = (timeS: number): number => PLOT.left + ((timeS - startS) / (endS - startS)) * inner.width;
  const y = (value: number): number => PLOT.top + inner.height - ((value - bottom) / (top - bottom)) * inner.height;
  const parts = [
    `<rect x="6" y="4" width="${CELL.width - 12}" height="${CELL.height - 10}" rx="4" fill="#fafafa" stroke="#ddd"/>`,
    text(16, 23, panel.title, 'font-weight="bold" font-size="12"'),
  ];
  for (const share of [0, 0.5, 1]) {
    const value = bottom + share * (top - bottom);
    parts.push(`<path d="M${PLOT.left} ${round(y(value))}h${inner.width}" stroke="#e3e3e3"/>`);
    parts.push(
      text(
        PLOT.left - 5,
        round(y(value) + 4),
        format(value, panel.unit),
        'text-anchor="end" fill="#666" font-size="10"',
      ),
    );
  }
  for (const [share, anchor] of [
    [0, 'start'],
    [0.5, 'middle'],
    [1, 'end'],
  ] as const) {
    const at = startS + share * (endS - startS);
    const label = new Date(at * 1000).toISOString().slice(11, 19);
    parts.push(
      text(round(x(at)), PLOT.top + inner.height + 14, label, `text-anchor="${anchor}" fill="#666" font-size="10"`),
    );
  }
  for (const [index, line] of panel.lines.entries()) {
    parts.push(`<path d="${pathOf(line.points, x, y)}" fill="none" stroke="${colorOf(index)}" stroke-width="1.6"/>`);
  }
  if (values.length === 0)
    parts.push(text(CELL.width / 2, PLOT.top + inner.height / 2, 'no data', 'text-anchor="middle" fill="#999"'));
  return [...parts, ...legend(panel)].join('\n');
}

/** Lines are lifted over what is no number, as a gap. */
function pathOf(points: Line['points'], x: (timeS: number) => number, y: (value: number) => number): string {
  let path = '';
  let pen = 'M';
  for (const [timeS, value] of points) {
    if (Number.isFinite(value)) path += `${pen}${round(x(timeS))} ${round(y(value))}`;
    pen = Number.isFinite(value) ? 'L' : 'M';
  }
  return path;
}

function legend(panel: Drawn): string[] {
  const parts: string[] = [];
  const step = (CELL.width - 32) / 2;
  const shown = panel.lines.length > LEGEND_MAX ? LEGEND_MAX - 1 : panel.lines.length;
  for (const [index, { name }] of panel.lines.slice(0, shown).entries()) {
    const x = 16 + (index % 2) * step;
    const y = CELL.height - 30 + Math.floor(index / 2) * 15;
    parts.push(`<rect x="${x}" y="${y - 8}" width="10" height="8" fill="${colorOf(index)}"/>`);
    parts.push(text(x + 15, y, name.length > 27 ? `${name.slice(0, 26)}…` : name, 'font-size="10"'));
  }
  const more = panel.lines.length - shown;
  if (more > 0) parts.push(text(16 + step, CELL.height - 15, `and ${more} more`, 'fill="#666" font-size="10"'));
  return parts;
}

const colorOf = (index: number): string => COLORS[index % COLORS.length] ?? '#000';
const round = (value: number): number => Math.round(value * 10) / 10;

/** 1, 2 or 5 times a power of ten, over the greatest value; a share keeps 100% as its top. */
function niceTop(max: number, unit: string): number {
  if (max <= 0) return 1;
  if (unit === 'percentunit' && max > 0.5 && max <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= max) ?? max;
}

function format(value: number, unit: string): string {
  const digits = (scaled: number): string => String(Number(scaled.toPrecision(3)));
  if (unit === 'percentunit') return `${digits(value * 100)}%`;
  if (unit === 's' && Math.abs(value) < 1 && value !== 0) return `${digits(value * 1000)} ms`;
  const suffix = unit === 's' ? ' s' : '';
  return Math.abs(value) >= 10_000 ? `${digits(value / 1000)}k${suffix}` : `${digits(value)}${suffix}`;
}

function text(x: number, y: number, words: string, attributes: string): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`;
}
