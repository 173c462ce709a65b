import type { Hono } from 'hono';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { AppEnv } from './context.ts';
import { inputOf, operationOf, type Input, type Operation } from './operation.ts';
import { PARAMETERS, parameterRef, RESPONSE_HEADERS, responseHeaders } from './openapi-headers.ts';
import { SchemaComponents, type JsonSchema } from './openapi-schemas.ts';
import { Problem } from './schema.ts';

export type Routes = Hono<AppEnv>['routes'];

export interface ApiInfo {
  title: string;
  version: string;
  description: string;
}

type Json = Record<string, unknown>;

/** One method of one path: what operation() says of it and what its validators take. */
interface Endpoint {
  method: string;
  /** As OpenAPI writes it: `/carts/{id}`. */
  path: string;
  operation: Operation;
  inputs: Partial<Record<Input['target'], JsonSchema>>;
}

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const EVERYWHERE: readonly ErrorCode[] = [
  'malformed_request',
  'unauthenticated',
  'rate_limited',
  'internal',
  'dependency_unavailable',
  'misconfigured',
];

/**
 * The OpenAPI 3.1 document of an app's routes. Throws when a route has no operation(), so that none is left out of the
 * contract. For build time: nothing of it is needed to answer a request.
 */
export function buildOpenApi(routes: Routes, info: ApiInfo): Json {
  const schemas = new SchemaComponents();
  schemas.add(Problem, 'output');
  const described = group(routes);
  for (const { operation } of described) {
    for (const schema of Object.values(operation.replies)) if (schema) schemas.add(schema, 'output');
  }
  const endpoints = described.map(({ inputs, ...rest }) => ({ ...rest, inputs: inputSchemas(inputs, schemas) }));
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    const item = (paths[endpoint.path] ??= {});
    item[endpoint.method.toLowerCase()] = operationObject(endpoint, schemas);
  }
  const tags = [...new Set(endpoints.map(({ operation }) => operation.tag))];
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: schemas.all(),
      parameters: PARAMETERS,
      headers: RESPONSE_HEADERS,
      responses: Object.fromEntries(byStatus(EVERYWHERE).map(([status, codes]) => [shared(status), refusal(codes)])),
    },
  };
}

/** The handlers of a chain share method and path; `ALL` is middleware. */
function group(routes: Routes): { method: string; path: string; operation: Operation; inputs: Input[] }[] {
  const chains = Map.groupBy(
    routes.filter(({ method }) => method !== 'ALL'),
    ({ method, path }) => `${method} ${path}`,
  );
  return [...chains].map(([name, chain]) => {
    const [operation, ...others] = chain.flatMap(({ handler }) => operationOf(handler) ?? []);
    if (!operation) throw new Error(`${name} has no operation(): it would be missing from the contract`);
    if (others.length > 0) throw new Error(`${name} is described more than once`);
    const inputs = chain.flatMap(({ handler }) => inputOf(handler) ?? []);
    const [method = '', path = ''] = name.split(' ');
    return { method, path: path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}'), operation, inputs };
  });
}

function inputSchemas(inputs: readonly Input[], schemas: SchemaComponents): Endpoint['inputs'] {
  return Object.fromEntries(inputs.map(({ target, schema }) => [target, schemas.add(schema, 'input')]));
}

function operationObject(endpoint: Endpoint, schemas: SchemaComponents): Json {
  const { operation, inputs } = endpoint;
  const security = { none: [], optional: [{}, { bearer: [] }], customer: [{ bearer: [] }] };
  return {
    operationId: operationId(endpoint),
    summary: operation.summary,
    tags: [operation.tag],
    security: security[operation.auth],
    parameters: [...pathParameters(endpoint), ...queryParameters(inputs.query), ...headerParameters(endpoint)],
    ...(inputs.json && { requestBody: { required: true, content: { 'application/json': { schema: inputs.json } } } }),
    responses: { ...successes(endpoint, schemas), ...refusals(endpoint) },
  };
}

/** `PATCH /api/v1/carts/{id}/items/{item_id}` becomes `patchCartsByIdItemsByItemId`. */
function operationId({ method, path }: Endpoint): string {
  const words = path
    .replace(/^\/api\/v\d+/, '')
    .replaceAll('{', 'by_')
    .split(/[^A-Za-z0-9]+/);
  const capitalized = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return method.toLowerCase() + capitalized.join('');
}

function pathParameters({ path, inputs }: Endpoint): Json[] {
  const properties = propertiesOf(inputs.param);
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: properties[name] ?? { type: 'string' },
  }));
}

/** A schema that takes further names (`option.color=red`) becomes one exploded object, whose keys are the parameters. */
function queryParameters(schema: JsonSchema | undefined): Json[] {
  const required = new Set(Array.isArray(schema?.required) ? schema.required : []);
  const named = Object.entries(propertiesOf(schema)).map(([name, property]) => ({
    name,
    in: 'query',
    ...(required.has(name) && { required: true }),
    schema: property,
  }));
  const { additionalProperties, propertyNames } = schema ?? {};
  if (typeof additionalProperties !== 'object') return named;
  const names = propertyNames === undefined ? {} : { propertyNames };
  const others = { type: 'object', ...names, additionalProperties };
  return [...named, { name: 'others', in: 'query', style: 'form', explode: true, schema: others }];
}

function propertiesOf(schema: JsonSchema | undefined): Record<string, JsonSchema> {
  return (schema?.properties ?? {}) as Record<string, JsonSchema>;
}

function headerParameters({ method, operation }: Endpoint): Json[] {
  const own = Object.entries(operation.headers ?? {}).map(([name, description]) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
  const key = takesKey(method, operation) ? [parameterRef('IdempotencyKey')] : [];
  return [...own, ...key, parameterRef('RequestId'), parameterRef('TraceParent')];
}

function takesKey(method: string, operation: Operation): boolean {
  return MUTATING.has(method) && operation.idempotencyKey !== 'ignored';
}

function successes({ method, operation }: Endpoint, schemas: SchemaComponents): Json {
  const replayed = takesKey(method, operation) ? (['Idempotent-Replayed'] as const) : [];
  return Object.fromEntries(
    Object.entries(operation.replies).map(([status, schema]) => {
      const content = schema && { content: { 'application/json': { schema: schemas.add(schema, 'output') } } };
      const headers = responseHeaders('ETag', ...replayed);
      return [status, { description: SUCCESS[status] ?? 'Done.', headers, ...content }];
    }),
  );
}

const SUCCESS: Record<string, string> = { 200: 'OK.', 201: 'Created.', 202: 'Accepted.', 204: 'Done; no body.' };

function refusals(endpoint: Endpoint): Json {
  const everywhere = new Map(byStatus(EVERYWHERE));
  return Object.fromEntries(
    byStatus(codesOf(endpoint)).map(([status, codes]) => {
      const isShared = codes.length === everywhere.get(status)?.length;
      return [status, isShared ? { $ref: `#/components/responses/${shared(status)}` } : refusal(codes)];
    }),
  );
}

/** What it declares, and what follows from its validators and headers. */
function codesOf({ method, operation, inputs }: Endpoint): Set<ErrorCode> {
  const codes = new Set<ErrorCode>([...EVERYWHERE, ...(operation.errors ?? [])]);
  if (operation.auth === 'customer') codes.add('forbidden');
  if (inputs.param) codes.add('not_found');
  if (inputs.json || inputs.query) codes.add('validation_failed');
  if (inputs.json) codes.add('unsupported_media_type');
  if (MUTATING.has(method)) codes.add('payload_too_large');
  if (operation.headers && 'If-Match' in operation.headers) codes.add('precondition_failed');
  if (takesKey(method, operation)) codes.add('idempotency_in_flight').add('idempotency_key_reused');
  return codes;
}

/** In the order of the status; in JavaScript an object would order them so anyway. */
function byStatus(codes: Iterable<ErrorCode>): [status: number, codes: ErrorCode[]][] {
  return [...Map.groupBy(codes, (code) => ERRORS[code][0])].sort(([a], [b]) => a - b);
}

function shared(status: number): string {
  return `Problem${status}`;
}

function refusal(codes: readonly ErrorCode[]): Json {
  const [status = 500] = codes.map((code) => ERRORS[code][0]);
  const retry = status === 409 || status === 429 || status === 503 ? (['Retry-After'] as const) : [];
  const authenticate = status === 401 ? (['WWW-Authenticate'] as const) : [];
  const one = { type: 'object', properties: { status: { const: status }, code: { enum: [...codes].sort() } } };
  return {
    description: `${codes.map((code) => ERRORS[code][1]).join('; ')}.`,
    headers: responseHeaders(...retry, ...authenticate),
    content: { 'application/problem+json': { schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, one] } } },
  };
}
