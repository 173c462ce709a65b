import type { Handler, MiddlewareHandler } from 'hono';
import type * as z from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { CacheGroup } from '../cache/replies.ts';
import type { RouteLimit } from './limits.ts';
import type { AppContext, AppEnv } from './context.ts';

/** What the contract says of a route; the OpenAPI document is built from it and from the validators beside it. */
export interface Operation {
  summary: string;
  tag: string;
  /**
   * Who may call: anybody, a bearer token if there is one, a signed-in customer, any signed-in person, staff or an API key
   * that holds `permission`, or the holder of METRICS_TOKEN.
   */
  auth: 'none' | 'optional' | 'customer' | 'person' | 'staff' | 'metrics';
  /** `resource:action` of a staff route; one without is refused to everybody. */
  permission?: string;
  /** What decides over access is for people, whatever an API key's permissions say. */
  apiKeys?: 'refused';
  /** What it needs is in the body: a stale Authorization header, which clients tend to send along, is not read. */
  credentials?: 'in_body';
  /** A limit of its own beside the shared one. */
  limit?: RouteLimit;
  /**
   * What a machine signs and delivers comes in bursts and in sizes of its own: in place of the shared limit only what is
   * refused counts, and a body may hold 1 MiB.
   */
  delivered?: true;
  replies: Partial<Record<200 | 201 | 202 | 204 | 503, z.ZodType | null>>;
  /** Media types of its replies when they are not JSON; the schema is then that of a text. */
  mediaTypes?: readonly string[];
  errors?: readonly ErrorCode[];
  /** Headers it reads beyond those that every route does. */
  headers?: Readonly<Record<string, string>>;
  /** A mutation reads the key unless a repeat is harmless, or the stored reply would hold credentials. */
  idempotencyKey?: 'ignored';
  /** Its 200 is the same for everybody and may be kept for CACHE_TTL seconds, until something of the group changes. */
  cache?: CacheGroup;
  /** Members of its problems beyond those of every problem. */
  members?: Readonly<Record<string, z.ZodType>>;
}

export interface Input {
  target: 'json' | 'query' | 'param';
  schema: z.ZodType;
}

const operations = new WeakMap<object, Operation>();
const inputs = new WeakMap<object, Input>();

/** Stands first in a route's chain and changes nothing about the request. */
export function operation(described: Operation): MiddlewareHandler<AppEnv> {
  const middleware: MiddlewareHandler<AppEnv> = (_c, next) => next();
  operations.set(middleware, described);
  return middleware;
}

export function describeInput<Middleware extends object>(middleware: Middleware, input: Input): Middleware {
  inputs.set(middleware, input);
  return middleware;
}

export function operationOf(handler: Handler | MiddlewareHandler): Operation | undefined {
  return operations.get(handler);
}

const MISSING: Operation = { summary: '', tag: '', auth: 'none', replies: {} };

/** What the contract says of the route that will answer; a path without one is anybody's, and answers 404 or 405. */
export function operationAhead(c: AppContext): Operation {
  for (const { handler } of c.req.matchedRoutes) {
    const described = operationOf(handler);
    if (described) return described;
  }
  return MISSING;
}

export function inputOf(handler: Handler | MiddlewareHandler): Input | undefined {
  return inputs.get(handler);
}
