import { emptyPoint, type Kind, type Point, type PointFamily } from '../metrics/point.ts';
import { PushRefused } from './key.ts';

/** Where a message of the wire format is read; every length is checked before it is used. */
class Wire {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new PushRefused('unexpected EOF');
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new PushRefused('proto: variable length integer overflow');
  }

  double(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  bytes(): Uint8Array {
    const length = Number(this.varint());
    this.#need(length);
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 2) this.bytes();
    else if (wireType === 1 || wireType === 5) {
      const width = wireType === 1 ? 8 : 4;
      this.#need(width);
      this.#at += width;
    } else throw new PushRefused(`proto: wrong wireType = ${wireType}`);
  }

  #need(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new PushRefused('unexpected EOF');
  }
}

type Fields = Record<number, readonly [wireType: number, read: (wire: Wire) => void]>;

/** Reads the fields that are known and steps over the others. */
function readMessage(bytes: Uint8Array, fields: Fields): void {
  const wire = new Wire(bytes);
  while (!wire.isAtEnd) {
    const tag = Number(wire.varint());
    const [wireType, read] = fields[Math.floor(tag / 8)] ?? [];
    if (read !== undefined && wireType === tag % 8) read(wire);
    else wire.skip(tag % 8);
  }
}

function text(wire: Wire): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(wire.bytes());
  } catch (error) {
    if (error instanceof PushRefused) throw error;
    throw new PushRefused('proto: a text is not UTF-8');
  }
}

/** MetricType of io.prometheus.client, by its number. */
const KINDS: readonly Kind[] = ['counter', 'gauge', 'summary', 'untyped', 'histogram'];

function readFamily(bytes: Uint8Array): PointFamily {
  const family: PointFamily = { name: '', help: '', type: 'counter', points: [] };
  readMessage(bytes, {
    1: [2, (wire) => (family.name = text(wire))],
    2: [2, (wire) => (family.help = text(wire))],
    3: [0, (wire) => (family.type = kindOf(Number(wire.varint())))],
    4: [2, (wire) => family.points.push(readPoint(wire.bytes()))],
  });
  return family;
}

function kindOf(type: number): Kind {
  const kind = KINDS[type];
  if (kind === undefined) throw new PushRefused(`unknown metric type ${type}`);
  return kind;
}

function readPoint(bytes: Uint8Array): Point {
  const point = emptyPoint();
  const simple = (kind: Kind) =>
    [
      2,
      (wire: Wire) => {
        point.kind = kind;
        readMessage(wire.bytes(), { 1: [1, (inner) => (point.value = inner.double())] });
      },
    ] as const;
  readMessage(bytes, {
    1: [2, (wire) => point.labels.push(readLabel(wire.bytes()))],
    2: simple('gauge'),
    3: simple('counter'),
    4: [2, (wire) => readComposite(point, 'summary', wire.bytes())],
    5: simple('untyped'),
    6: [0, (wire) => (point.timestampMs = Number(BigInt.asIntN(64, wire.varint())))],
    7: [2, (wire) => readComposite(point, 'histogram', wire.bytes())],
  });
  return point;
}

function readLabel(bytes: Uint8Array): [string, string] {
  const label: [string, string] = ['', ''];
  readMessage(bytes, {
    1: [2, (wire) => (label[0] = text(wire))],
    2: [2, (wire) => (label[1] = text(wire))],
  });
  return label;
}

/** A summary's quantiles are two doubles; a histogram's buckets are a count and its bound. */
function readComposite(point: Point, kind: 'summary' | 'histogram', bytes: Uint8Array): void {
  point.kind = kind;
  readMessage(bytes, {
    1: [0, (wire) => (point.count = Number(wire.varint()))],
    2: [1, (wire) => (point.sum = wire.double())],
    3: [2, (wire) => point.steps.push(readStep(kind, wire.bytes()))],
  });
}

function readStep(kind: 'summary' | 'histogram', bytes: Uint8Array): [number, number] {
  const step: [number, number] = [0, 0];
  if (kind === 'summary') {
    readMessage(bytes, {
      1: [1, (wire) => (step[0] = wire.double())],
      2: [1, (wire) => (step[1] = wire.double())],
    });
  } else {
    readMessage(bytes, {
      1: [0, (wire) => (step[1] = Number(wire.varint()))],
      2: [1, (wire) => (step[0] = wire.double())],
    });
  }
  return step;
}

/**
 * Messages io.prometheus.client.MetricFamily, each behind its length as a varint. Of two with one name the last counts.
 * Native histograms and exemplars are stepped over. Throws PushRefused.
 */
export function parseDelimited(body: Uint8Array): PointFamily[] {
  const wire = new Wire(body);
  const families = new Map<string, PointFamily>();
  while (!wire.isAtEnd) {
    const family = readFamily(wire.bytes());
    families.set(family.name, family);
  }
  return [...families.values()].filter(({ points }) => points.length > 0);
}
