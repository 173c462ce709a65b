import type { Family, Sample } from '../metrics/family.ts';
import { canonicalBound } from '../metrics/float.ts';

/** One series' labels as they are sent: sorted by name, `__name__` among them, none empty. */
export type SeriesLabels = readonly (readonly [name: string, value: string])[];

export interface Series {
  labels: SeriesLabels;
  value: number;
  timestampMs?: number | undefined;
}

export interface WriteRequest {
  /** For the metadata. */
  families: readonly Family[];
  series: readonly Series[];
  /** Series that ended: each gets the staleness marker. */
  stale: readonly SeriesLabels[];
}

/** MetricMetadata.MetricType of prometheus/prompb. */
const METADATA_TYPES: Record<Family['type'], number> = { untyped: 0, counter: 1, gauge: 2, histogram: 3, summary: 5 };
/** The one NaN that ends a series (remote write 1.0, "Stale Markers"); a number of JavaScript cannot carry its bits. */
const STALE_BITS = 0x7ff0000000000002n;
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

/** Every sample with the labels that it is sent with; an external label gives way to the series' own. */
export function seriesOf(families: readonly Family[], externalLabels: Readonly<Record<string, string>> = {}): Series[] {
  return families.flatMap(({ type, samples }) =>
    samples.map((sample) => ({
      labels: labelsOf(type, sample, externalLabels),
      value: sample.value,
      timestampMs: sample.timestampMs,
    })),
  );
}

/** prometheus.WriteRequest of remote write 1.0: every sample at `atMs` unless it brings its own time. */
export function buildWriteRequest({ families, series, stale }: WriteRequest, atMs: number): Uint8Array<ArrayBuffer> {
  const message = new Message();
  for (const { labels, value, timestampMs } of series) {
    message.nested(1, (timeSeries) => {
      writeLabels(timeSeries, labels);
      timeSeries.nested(2, (sample) => {
        sample.double(1, value);
        sample.varint(2, timestampMs ?? atMs);
      });
    });
  }
  for (const labels of stale) {
    message.nested(1, (timeSeries) => {
      writeLabels(timeSeries, labels);
      timeSeries.nested(2, (sample) => {
        sample.doubleBits(1, STALE_BITS);
        sample.varint(2, atMs);
      });
    });
  }
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    message.nested(3, (metadata) => {
      metadata.varint(1, METADATA_TYPES[type]);
      metadata.text(2, name);
      metadata.text(4, help);
    });
  }
  return message.bytes();
}

function labelsOf(
  type: Family['type'],
  { name, labels }: Sample,
  externalLabels: Readonly<Record<string, string>>,
): SeriesLabels {
  const bound = type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : null;
  return Object.entries({ ...externalLabels, ...labels, __name__: name })
    .flatMap(([label, text]) => (text === '' ? [] : [[label, label === bound ? canonicalBound(text) : text] as const]))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function writeLabels(series: Message, labels: SeriesLabels): void {
  for (const [label, text] of labels) {
    series.nested(1, (pair) => {
      pair.text(1, label);
      pair.text(2, text);
    });
  }
}

/** A protobuf message under construction. */
class Message {
  #bytes = new Uint8Array(256);
  #at = 0;

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  varint(field: number, value: number): void {
    this.#raw(field * 8 + VARINT);
    this.#raw(value);
  }

  double(field: number, value: number): void {
    this.#raw(field * 8 + FIXED64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  doubleBits(field: number, bits: bigint): void {
    this.#raw(field * 8 + FIXED64);
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigUint64(this.#at, bits, true);
    this.#at += 8;
  }

  text(field: number, value: string): void {
    this.#delimited(field, new TextEncoder().encode(value));
  }

  nested(field: number, write: (message: Message) => void): void {
    const message = new Message();
    write(message);
    this.#delimited(field, message.#bytes.subarray(0, message.#at));
  }

  #delimited(field: number, bytes: Uint8Array): void {
    this.#raw(field * 8 + LENGTH_DELIMITED);
    this.#raw(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Of a number below 2^53 that is not negative. */
  #raw(value: number): void {
    this.#reserve(10);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}
