import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../support/shop.ts';

// The protocol's classes, generated from opentelemetry-proto, in the version that the library itself depends on.
const ofLibrary = createRequire(createRequire(import.meta.url).resolve('@microlabs/otel-cf-workers'));
const { opentelemetry } = ofLibrary('@opentelemetry/otlp-transformer/build/src/generated/root.js');
const Request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const IDS = new Set(['traceId', 'spanId', 'parentSpanId']);
const HEX = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;

/** OTLP/JSON writes ids in hex where JSON of protobuf writes base64; an empty list is as good as none. */
function asProtobufJson(value: Json, key = ''): Json {
  if (IDS.has(key)) {
    if (!HEX.test(value)) throw new Error(`${key} is not an id: ${value}`);
    return Buffer.from(value, 'hex').toString('base64');
  }
  if (Array.isArray(value)) return value.map((item) => asProtobufJson(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => !(Array.isArray(member) && member.length === 0));
  return Object.fromEntries(entries.map(([name, member]) => [name, asProtobufJson(member, name)]));
}

/** Throws unless every field survives protobuf: an unknown or ill-typed one would be lost or changed on the way. */
export function assertSchema(body: Json): void {
  const given = asProtobufJson(body);
  const fault = Request.verify(Request.fromObject(given));
  if (fault !== null) throw new Error(`not an ExportTraceServiceRequest: ${fault}`);
  const bytes = Request.encode(Request.fromObject(given)).finish();
  const read = Request.toObject(Request.decode(bytes), { longs: String, bytes: String });
  const plain: unknown = JSON.parse(JSON.stringify(read));
  if (!isDeepStrictEqual(plain, JSON.parse(JSON.stringify(given)))) {
    throw new Error(`the schema reads ${JSON.stringify(plain)} from ${JSON.stringify(given)}`);
  }
}
