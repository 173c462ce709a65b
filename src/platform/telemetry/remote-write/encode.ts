import type { Family, Sample } from '../metrics/family.ts';
import { canonicalBound } from '../metrics/float.ts';

/** One request's protobuf and how many series it holds. */
export interface WriteRequest {
  body: Uint8Array<ArrayBuffer>;
  series: number;
}

/** MetricMetadata.MetricType of prometheus/prompb. */
const METADATA_TYPES: Record<Family['type'], number> = { untyped: 0, counter: 1, gauge: 2, histogram: 3, summary: 5 };
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

/**
 * prometheus.WriteRequest of remote write 1.0: labels sorted by name, none of them empty, every sample at `timestampMs`
 * unless it brings its own. An external label gives way to the series' own.
 */
export function buildWriteRequest(
  families: readonly Family[],
  timestampMs: number,
  externalLabels: Readonly<Record<string, string>> = {},
): WriteRequest {
  const message = new Message();
  let series = 0;
  for (const { type, samples } of families) {
    for (const sample of samples) {
      message.nested(1, (timeSeries) => writeSeries(timeSeries, type, sample, timestampMs, externalLabels));
      series += 1;
    }
  }
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    message.nested(3, (metadata) => {
      metadata.varint(1, METADATA_TYPES[type]);
      metadata.text(2, name);
      metadata.text(4, help);
    });
  }
  return { body: message.bytes(), series };
}

function writeSeries(
  series: Message,
  type: Family['type'],
  { name, labels, value, timestampMs }: Sample,
  atMs: number,
  externalLabels: Readonly<Record<string, string>>,
): void {
  const bound = type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : null;
  const pairs = Object.entries({ ...externalLabels, ...labels, __name__: name }).flatMap(([label, text]) =>
    text === '' ? [] : [[label, label === bound ? canonicalBound(text) : text] as const],
  );
  for (const [label, text] of pairs.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    series.nested(1, (pair) => {
      pair.text(1, label);
      pair.text(2, text);
    });
  }
  series.nested(2, (sample) => {
    sample.double(1, value);
    sample.varint(2, timestampMs ?? atMs);
  });
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
