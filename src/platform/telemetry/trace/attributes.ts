import type { Loggable } from '../redact.ts';

export type AttributeValue = string | number | boolean;

/** Longer ones are cut: the largest statement fits, and one span stays small. */
export const VALUE_CHARS_MAX = 8_192;

/** Names of OpenTelemetry's semantic conventions; `ecommerce.*` are ours. */
interface AttributeTable {
  'db.system.name': 'postgresql' | 'redis';
  'db.namespace': Loggable;
  'db.operation.name': SpanName;
  'db.operation.batch.size': number;
  'db.query.text': Loggable;
  'server.address': Loggable;
  'server.port': number;
  'http.request.method': Loggable;
  'http.response.status_code': number;
  'http.route': Loggable;
  'url.path': Loggable;
  'url.scheme': 'http' | 'https';
  'user.id': Loggable;
  'error.type': Loggable;
  /** Of an event: why a step was done again. */
  reason: 'race' | 'unreachable' | 'NOSCRIPT';
  'ecommerce.db.read_only': boolean;
  'ecommerce.order.id': Loggable;
  'ecommerce.error.code': Loggable;
  'ecommerce.mail.template': Loggable;
  'ecommerce.payment.provider': 'test' | 'stripe';
  'service.name': Loggable;
  'service.version': Loggable;
  'deployment.environment.name': Loggable;
  'telemetry.sdk.language': 'webjs';
  'telemetry.sdk.name': '@microlabs/otel-cf-workers';
}

/** What a span may say: no other name compiles, and no plain string, as in the log. */
export type Attributes = { readonly [Name in keyof AttributeTable]?: AttributeTable[Name] | null | undefined };

/** Upper case is only ever written out in the source. */
export type SpanName = Uppercase<string> | Loggable;
