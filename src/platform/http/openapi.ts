import type { RouterRoute } from 'hono/types';
import { limitBody } from './middleware.ts';
import { isAdmit } from './admit.ts';
import { etagReads } from './etag.ts';
import { inputOf, operationOf, type Input, type Operation } from './operation.ts';
import { Components, type JsonSchema } from './openapi-components.ts';
import { PARAMETERS, RESPONSE_HEADERS } from './openapi-headers.ts';
import { operationObject, type Endpoint } from './openapi-operation.ts';

export interface ApiInfo {
  title: string;
  version: string;
  description: string;
}

/** A route's chain: its handlers share method and path. */
interface Chain {
  method: string;
  path: string;
  operation: Operation;
  inputs: readonly Input[];
}

/**
 * The OpenAPI 3.1 document of an app's routes. Throws when a route has no operation(), so that none is left out of the
 * contract. For build time: nothing of it is needed to answer a request.
 */
export function buildOpenApi(routes: readonly RouterRoute[], info: ApiInfo): JsonSchema {
  const components = new Components();
  const chains = chainsOf(routes);
  for (const { operation } of chains) {
    for (const schema of Object.values(operation.replies)) if (schema) components.addSchema(schema, 'output');
  }
  const paths: Record<string, JsonSchema> = {};
  for (const chain of chains) {
    const endpoint = endpointOf(chain, routes, components);
    (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operationObject(endpoint, components);
  }
  const tags = [...new Set(chains.map(({ operation }) => operation.tag))];
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: components.schemas(),
      parameters: PARAMETERS,
      headers: RESPONSE_HEADERS,
      responses: components.responses(),
    },
  };
}

/** `ALL` is middleware. */
function chainsOf(routes: readonly RouterRoute[]): Chain[] {
  const handlers = Map.groupBy(
    routes.filter(({ method }) => method !== 'ALL'),
    ({ method, path }) => `${method} ${path}`,
  );
  return [...handlers].map(([name, chain]) => {
    const [operation, ...others] = chain.flatMap(({ handler }) => operationOf(handler) ?? []);
    if (!operation) throw new Error(`${name} has no operation(): it would be missing from the contract`);
    if (others.length > 0) throw new Error(`${name} is described more than once`);
    const [method = '', path = ''] = name.split(' ');
    return { method, path, operation, inputs: chain.flatMap(({ handler }) => inputOf(handler) ?? []) };
  });
}

function endpointOf(
  { method, path, operation, inputs }: Chain,
  routes: readonly RouterRoute[],
  components: Components,
): Endpoint {
  const passes = (isIt: (middleware: unknown) => boolean) =>
    routes.some((route) => route.method === 'ALL' && isIt(route.handler) && covers(route.path, path));
  return {
    method,
    path: path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}'),
    operation,
    inputs: Object.fromEntries(inputs.map(({ target, schema }) => [target, components.addSchema(schema, 'input')])),
    admitted: passes(isAdmit),
    bodyLimited: passes((middleware) => middleware === limitBody),
    tagged: passes((middleware) => middleware === etagReads),
  };
}

/** `/api/v1/*` covers all below it. */
function covers(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
