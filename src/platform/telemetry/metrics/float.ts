/**
 * A number as Go's strconv writes it (`%g`, shortest): what every Prometheus component writes and compares as text, so
 * that `le="1e+06"` is the same series wherever it comes from.
 */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** OpenMetrics 1.0, "Canonical Numbers": a bound that looks like an integer gets `.0`. */
export function canonicalBound(text: string): string {
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITE = /^[+-]?inf(inity)?$/i;

/** Null for what Go's strconv.ParseFloat refuses; hexadecimal floats and digit separators are not part of the format. */
export function parseFloatText(text: string): number | null {
  if (INFINITE.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  if (!DECIMAL.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}
