import * as z from 'zod';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { Input, Operation } from './operation.ts';
import { isStaffChange } from './etag.ts';
import { parameterRef, responseHeaders, type ResponseHeader } from './openapi-headers.ts';
import type { Components, JsonSchema } from './openapi-components.ts';

/** One method of one path: what operation() says of it, what its validators take and which middleware it passes. */
export interface Endpoint {
  method: string;
  /** As OpenAPI writes it: `/carts/{id}`. */
  path: string;
  operation: Operation;
  inputs: Partial<Record<Input['target'], JsonSchema>>;
  /** It knows who calls and counts them. */
  admitted: boolean;
  bodyLimited: boolean;
  /** Its reads carry an ETag and answer If-None-Match. */
  tagged: boolean;
}

const BEARER = [{ bearer: [] }];
const SECURITY: Record<Operation['auth'], JsonSchema[]> = {
  none: [{}, ...BEARER],
  optional: [{}, ...BEARER],
  customer: BEARER,
  person: BEARER,
  staff: BEARER,
  metrics: BEARER,
};

/** Whoever is admitted may identify themselves, if only to be counted by account. */
function securityOf({ operation, admitted }: Endpoint): JsonSchema[] {
  const isRead = operation.credentials !== 'in_body' && (admitted || operation.auth !== 'none');
  return isRead ? SECURITY[operation.auth] : [];
}

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const SUCCESS: Record<string, string> = { 200: 'OK.', 201: 'Created.', 202: 'Accepted.', 204: 'Done; no body.' };

export function operationObject(endpoint: Endpoint, components: Components): JsonSchema {
  const { operation, inputs } = endpoint;
  return {
    operationId: operationId(endpoint),
    summary: operation.summary,
    tags: [operation.tag],
    security: securityOf(endpoint),
    'x-auth': operation.auth,
    ...(operation.apiKeys && { 'x-api-keys': operation.apiKeys }),
    ...(operation.permission !== undefined && { 'x-permission': operation.permission }),
    parameters: [...pathParameters(endpoint), ...queryParameters(inputs.query), ...headerParameters(endpoint)],
    ...(inputs.json && { requestBody: { required: true, content: { 'application/json': jsonBody(inputs.json) } } }),
    responses: responses(endpoint, components),
  };
}

/** `.meta({ example })` of a body is what a reader starts from. */
function jsonBody({ example, ...schema }: JsonSchema): JsonSchema {
  return { schema, ...(example !== undefined && { example }) };
}

/** `PATCH /api/v1/carts/{id}/items/{item_id}` becomes `patchCartsByIdItemsByItemId`. */
function operationId({ method, path }: Endpoint): string {
  const words = path
    .replace(/^\/api\/v\d+/, '')
    .replaceAll('{', 'by_')
    .split(/[^A-Za-z0-9]+/);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function pathParameters({ path, inputs }: Endpoint): JsonSchema[] {
  const properties = inputs.param?.properties ?? {};
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: properties[name] ?? { type: 'string' },
  }));
}

/** A schema that takes further names (`option.color=red`) becomes one exploded object, whose keys are the parameters. */
function queryParameters(schema: JsonSchema | undefined): JsonSchema[] {
  const required = new Set<unknown>(Array.isArray(schema?.['required']) ? schema['required'] : []);
  const named = Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    ...(required.has(name) && { required: true }),
    schema: property,
  }));
  const { patternProperties } = schema ?? {};
  if (patternProperties === undefined) return named;
  const others = { type: 'object', patternProperties, additionalProperties: false };
  const description = 'Further parameters: any name that fits the pattern.';
  return [...named, { name: 'others', in: 'query', description, style: 'form', explode: true, schema: others }];
}

function headerParameters(endpoint: Endpoint): JsonSchema[] {
  const own = Object.entries(endpoint.operation.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
  const key = takesKey(endpoint) ? [parameterRef('IdempotencyKey')] : [];
  const match = isStaffChange(endpoint.method, endpoint.operation) ? [parameterRef('IfMatch')] : [];
  const noneMatch = isTaggedRead(endpoint) ? [parameterRef('IfNoneMatch')] : [];
  return [...own, ...key, ...match, ...noneMatch, parameterRef('RequestId'), parameterRef('TraceParent')];
}

function takesKey({ method, operation }: Endpoint): boolean {
  return MUTATING.has(method) && operation.idempotencyKey !== 'ignored';
}

function isTaggedRead({ method, tagged }: Endpoint): boolean {
  return method === 'GET' && tagged;
}

/** A versioned resource carries its ETag on the replies to changes, too. */
function isVersioned(schema: z.ZodType | null): boolean {
  return schema instanceof z.ZodObject && 'version' in schema.shape;
}

/** Replies and refusals by status; one that is both (503 of a health check) has both media types. */
function responses(endpoint: Endpoint, components: Components): JsonSchema {
  const refusals = byStatus(codesOf(endpoint));
  const all: Record<string, JsonSchema> = {};
  for (const [status, codes] of refusals) all[status] = refusal(status, codes, endpoint, components);
  if (isTaggedRead(endpoint)) all['304'] = { description: 'Not modified.', headers: responseHeaders('ETag') };
  for (const [status, schema] of Object.entries(endpoint.operation.replies)) {
    const codes = refusals.find(([each]) => String(each) === status)?.[1];
    const content = {
      ...(schema && contentOf(endpoint, components.addSchema(schema, 'output'))),
      ...(codes && problemContent(Number(status), codes, endpoint, components)),
    };
    const headers: ResponseHeader[] = isTaggedRead(endpoint) || isVersioned(schema) ? ['ETag'] : [];
    if (takesKey(endpoint)) headers.push('Idempotent-Replayed');
    all[status] = {
      description: SUCCESS[status] ?? 'Not in order.',
      headers: responseHeaders(...headers),
      ...(Object.keys(content).length > 0 && { content }),
    };
  }
  return all;
}

function contentOf({ operation }: Endpoint, schema: JsonSchema): JsonSchema {
  const types = operation.mediaTypes ?? ['application/json'];
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

/** What it declares, and what follows from its validators, headers and middleware. */
function codesOf(endpoint: Endpoint): Set<ErrorCode> {
  const { method, operation, inputs, admitted, bodyLimited } = endpoint;
  const isMutating = MUTATING.has(method);
  const derived: [ErrorCode, boolean][] = [
    ['malformed_request', admitted],
    ['unauthenticated', securityOf(endpoint).length > 0],
    ['forbidden', ['customer', 'person', 'staff'].includes(operation.auth)],
    ['totp_enrollment_required', operation.auth === 'staff'],
    ['headers_too_large', true],
    ['not_found', inputs.param !== undefined],
    ['idempotency_in_flight', takesKey(endpoint)],
    ['precondition_failed', isStaffChange(method, operation) || 'If-Match' in (operation.headers ?? {})],
    ['precondition_required', isStaffChange(method, operation)],
    ['payload_too_large', isMutating && bodyLimited],
    ['unsupported_media_type', inputs.json !== undefined],
    ['validation_failed', inputs.json !== undefined || inputs.query !== undefined],
    ['idempotency_key_reused', takesKey(endpoint)],
    ['rate_limited', admitted],
    ['internal', true],
    ['dependency_unavailable', true],
    ['misconfigured', true],
  ];
  return new Set([...(operation.errors ?? []), ...derived.flatMap(([code, applies]) => (applies ? [code] : []))]);
}

function byStatus(codes: Iterable<ErrorCode>): [status: number, codes: ErrorCode[]][] {
  return [...Map.groupBy([...codes].sort(), (code) => ERRORS[code][0])];
}

/** Alike on every route that may answer the same codes, so it is kept once. */
function refusal(status: number, codes: readonly ErrorCode[], endpoint: Endpoint, components: Components): JsonSchema {
  const headers: ResponseHeader[] = status === 409 || status === 429 || status === 503 ? ['Retry-After'] : [];
  if (status === 401) headers.push('WWW-Authenticate');
  const response = {
    description: `${codes.map((code) => ERRORS[code][1]).join('; ')}.`,
    headers: responseHeaders(...headers),
    content: problemContent(status, codes, endpoint, components),
  };
  return endpoint.operation.members ? response : components.addResponse(codes.join('.'), response);
}

/** RFC 9457 lets a problem have further members; those that an operation does not declare are ruled out. */
function problemContent(
  status: number,
  codes: readonly ErrorCode[],
  { operation }: Endpoint,
  components: Components,
): JsonSchema {
  const members = Object.entries(operation.members ?? {}).map(([name, schema]) => [
    name,
    components.addSchema(schema, 'output'),
  ]);
  const properties = { status: { const: status }, code: { enum: codes }, ...Object.fromEntries(members) };
  const schema = { allOf: [components.problem, { properties }], unevaluatedProperties: false };
  return { 'application/problem+json': { schema } };
}
