type Json = Record<string, unknown>;

interface RequestHeader {
  name: string;
  description: string;
  required?: boolean;
  schema: Json;
}

const REQUEST_HEADERS = {
  RequestId: {
    name: 'X-Request-Id',
    description: 'Your own id of this request. One that is not well-formed is replaced, not refused.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_=+/.-]{1,128}$' },
  },
  TraceParent: {
    name: 'traceparent',
    description: 'W3C trace context: joins this request to your trace.',
    schema: { type: 'string' },
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    description: 'Answer 304 when the resource still has this ETag.',
    schema: { type: 'string' },
  },
  IfMatch: {
    name: 'If-Match',
    description: 'The ETag that the change is based on: 412 when the resource has another by now. `*` takes any.',
    required: true,
    schema: { type: 'string' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    description:
      'Makes the request safe to repeat: the same key with the same body answers what the first one did. Where a path names nothing of a guest, theirs needs 16 characters.',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
} as const satisfies Record<string, RequestHeader>;

/** `components/parameters`: what every operation reads. */
export const PARAMETERS: Json = Object.fromEntries(
  Object.entries<RequestHeader>(REQUEST_HEADERS).map(([name, header]) => [name, { in: 'header', ...header }]),
);

export function parameterRef(name: keyof typeof REQUEST_HEADERS): Json {
  return { $ref: `#/components/parameters/${name}` };
}

const integer = { type: 'integer', minimum: 0 };

/** `components/headers`: what replies carry. */
export const RESPONSE_HEADERS = {
  'X-Request-Id': {
    description: 'The id of this request, as in its log line.',
    required: true,
    schema: { type: 'string' },
  },
  traceparent: { description: 'W3C trace context of this request.', schema: { type: 'string' } },
  ETag: { description: 'The version of the resource, for If-None-Match and If-Match.', schema: { type: 'string' } },
  'Idempotent-Replayed': { description: 'Present on a stored reply.', schema: { const: 'true' } },
  'RateLimit-Limit': { description: 'Requests that the window allows.', schema: integer },
  'RateLimit-Remaining': { description: 'Requests left in the window.', schema: integer },
  'RateLimit-Reset': { description: 'Seconds until the window starts anew.', schema: integer },
  'RateLimit-Policy': {
    description: 'Every limit that this request counts against: requests, window in seconds, name.',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds to wait before the next try.', schema: integer },
  'WWW-Authenticate': { description: 'How to identify yourself.', schema: { type: 'string' } },
} as const;

export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

const COMMON: readonly ResponseHeader[] = [
  'X-Request-Id',
  'traceparent',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'RateLimit-Policy',
];

/** The headers of a reply: those of every reply and `more`. */
export function responseHeaders(...more: ResponseHeader[]): Json {
  return Object.fromEntries([...COMMON, ...more].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
