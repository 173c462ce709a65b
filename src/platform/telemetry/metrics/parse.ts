import type { Family } from './family.ts';
import { parseFloatText } from './float.ts';
import { quote, quoteBytes, quoteCharacter } from './go-text.ts';
import { emptyPoint, toFamily, type Kind, type Point, type PointFamily } from './point.ts';
import { EndOfInput, isBlank, Reader } from './reader.ts';

export { TextFormatError } from './reader.ts';

const KINDS: readonly string[] = ['counter', 'gauge', 'histogram', 'summary', 'untyped'] satisfies Kind[];
/** How many labels one line may carry; beyond it is a mistake or an attack. */
const LABELS_MAX = 64;

interface Draft extends Omit<PointFamily, 'type' | 'help'> {
  type: Kind | null;
  help: string | null;
}

/** What a line's name stands for: a family, and in a histogram or summary one of its parts. */
interface Target {
  family: Draft;
  part: 'step' | 'sum' | 'count';
}

function isKind(text: string): text is Kind {
  return KINDS.includes(text);
}

function without(name: string, suffix: string): string | null {
  return name.length > suffix.length && name.endsWith(suffix) ? name.slice(0, -suffix.length) : null;
}

/** Reads one body; kept apart from the functions so that a line can find what earlier lines declared. */
class TextParser {
  readonly #in: Reader;
  readonly #families = new Map<string, Draft>();
  readonly #composites = new Map<string, Point>();

  constructor(body: Uint8Array) {
    this.#in = new Reader(body);
  }

  parse(): PointFamily[] {
    try {
      while (this.#in.startLine()) this.#line();
    } catch (error) {
      if (error instanceof EndOfInput) throw this.#in.fault('unexpected end of input stream');
      throw error;
    }
    return [...this.#families.values()].flatMap(({ name, help, type, points }) =>
      points.length === 0 ? [] : [{ name, help: help ?? '', type: type ?? 'untyped', points }],
    );
  }

  #line(): void {
    if (this.#in.is('\n')) return;
    if (this.#in.is('#')) this.#comment();
    else this.#sample();
  }

  #comment(): void {
    const from = this.#in;
    from.skipBlank();
    if (from.is('\n')) return;
    const keyword = from.untilBlank();
    if (from.is('\n')) return;
    if (keyword !== 'HELP' && keyword !== 'TYPE') {
      from.untilNewline();
      return;
    }
    from.skipBlank();
    const name = from.metricName();
    if (from.is('\n')) return;
    if (!isBlank(from.byte)) throw from.fault('invalid metric name in comment');
    const { family } = this.#target(name);
    from.skipBlank();
    if (from.is('\n')) return;
    if (keyword === 'HELP') this.#help(family);
    else this.#type(family);
  }

  #help(family: Draft): void {
    if (family.help !== null) throw this.#in.fault(`second HELP line for metric name ${quote(family.name)}`);
    family.help = this.#in.helpText();
  }

  #type(family: Draft): void {
    if (family.type !== null) {
      const name = quote(family.name);
      throw this.#in.fault(`second TYPE line for metric name ${name}, or TYPE reported after samples`);
    }
    const given = this.#in.untilNewline();
    const kind = given.toLowerCase();
    if (!isKind(kind)) throw this.#in.fault(`unknown metric type ${quoteBytes(given)}`);
    family.type = kind;
  }

  /** `x_count` belongs to a summary or histogram `x` that was declared before, and to itself otherwise. */
  #target(name: string): Target {
    const own = this.#families.get(name);
    if (own) return { family: own, part: 'step' };
    for (const [suffix, part] of [
      ['_count', 'count'],
      ['_sum', 'sum'],
      ['_bucket', 'step'],
    ] as const) {
      const family = this.#families.get(without(name, suffix) ?? '');
      if (family?.type === 'histogram' || (family?.type === 'summary' && suffix !== '_bucket')) return { family, part };
    }
    const made: Draft = { name, help: null, type: null, points: [] };
    this.#families.set(name, made);
    return { family: made, part: 'step' };
  }

  #sample(): void {
    const from = this.#in;
    const name = from.metricName();
    if (name === '') throw from.fault('invalid metric name');
    const { family, part } = this.#target(name);
    family.type ??= 'untyped';
    from.skipIfBlank();
    const labels = from.is('{') ? this.#labels(family) : [];
    const bound = this.#bound(family, labels);
    const point = this.#point(family, labels);
    const given = from.untilBlank();
    const value = parseFloatText(given);
    if (value === null) throw from.fault(`expected float as value, got ${quoteBytes(given)}`);
    if (family.type !== 'histogram' && family.type !== 'summary') point.value = value;
    else if (part === 'sum') point.sum = value;
    else if (part === 'count') point.count = wholeNumber(value);
    else if (!Number.isNaN(bound)) {
      point.steps.push([bound, family.type === 'histogram' ? wholeNumber(value) : value]);
    }
    if (!from.is('\n')) this.#timestamp(point);
  }

  #timestamp(point: Point): void {
    const from = this.#in;
    from.skipBlank();
    const given = from.untilBlank();
    if (!/^[+-]?\d{1,18}$/.test(given)) throw from.fault(`expected integer as timestamp, got ${quoteBytes(given)}`);
    point.timestampMs = Number(given);
    const rest = from.untilNewline();
    if (rest !== '') throw from.fault(`spurious string after timestamp: ${quoteBytes(rest)}`);
  }

  /** Takes `le` or `quantile` out of the labels. NaN without one. */
  #bound(family: Draft, labels: Point['labels']): number {
    const name = family.type === 'histogram' ? 'le' : family.type === 'summary' ? 'quantile' : null;
    const at = labels.findIndex(([label]) => label === name);
    const [taken] = at < 0 ? [] : labels.splice(at, 1);
    if (taken === undefined) return NaN;
    const bound = parseFloatText(taken[1]);
    if (bound === null) throw this.#in.fault(`expected float as value for '${taken[0]}' label, got ${quote(taken[1])}`);
    return bound;
  }

  #point(family: Draft, labels: Point['labels']): Point {
    const { name, type, points } = family;
    const isComposite = type === 'histogram' || type === 'summary';
    const key = isComposite ? JSON.stringify([name, labels.toSorted(([a], [b]) => (a < b ? -1 : 1))]) : '';
    const known = isComposite ? this.#composites.get(key) : undefined;
    if (known) return known;
    const made = { ...emptyPoint(type), labels };
    points.push(made);
    if (isComposite) this.#composites.set(key, made);
    return made;
  }

  #labels({ name: metric }: Draft): Point['labels'] {
    const from = this.#in;
    const labels: Point['labels'] = [];
    for (;;) {
      from.skipBlank();
      if (from.is('}')) break;
      const name = from.labelName();
      if (name === '') throw from.fault(`invalid label name for metric ${quote(metric)}`);
      from.skipIfBlank();
      if (!from.is('=')) throw from.fault(`expected '=' after label name, found ${quoteCharacter(from.byte)}`);
      if (name === '__name__') throw from.fault(`label name "__name__" is reserved`);
      if (labels.some(([known]) => known === name)) {
        throw from.fault(`duplicate label names for metric ${quote(metric)}`);
      }
      from.skipBlank();
      if (!from.is('"')) {
        throw from.fault(`expected '"' at start of label value, found ${quoteCharacter(from.byte)}`);
      }
      const value = from.labelValue();
      labels.push([name, value]);
      if (labels.length > LABELS_MAX) throw from.fault(`more than ${LABELS_MAX} labels`);
      from.skipBlank();
      if (from.is('}')) break;
      if (!from.is(',')) throw from.fault(`unexpected end of label value ${quote(value)}`);
    }
    from.skipBlank();
    return labels;
  }
}

/** Counts are whole and not negative; what is neither counts as nothing. */
function wholeNumber(value: number): number {
  return value > 0 && Number.isFinite(value) ? Math.trunc(value) : 0;
}

/** Text format 0.0.4 as metrics with their parts together. Throws TextFormatError with the line. */
export function parsePoints(body: Uint8Array): PointFamily[] {
  return new TextParser(body).parse();
}

/** Text format 0.0.4 as samples. Throws TextFormatError with the line. */
export function parseText(text: string): Family[] {
  return parsePoints(new TextEncoder().encode(text)).map(toFamily);
}
