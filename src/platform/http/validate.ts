import type { Context } from 'hono';
import { zValidator } from '@hono/zod-validator';
import type * as z from 'zod';
import { AppError, notFound, type FieldError } from '../errors.ts';
import { describeInput } from './operation.ts';

interface Issue {
  code: string;
  message: string;
  path: PropertyKey[];
  keys?: string[];
}

/** `items[0].quantity`, as a client would write it. */
function paramOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((sum, key) => {
    if (typeof key === 'number') return `${sum}[${key}]`;
    return sum === '' ? String(key) : `${sum}.${String(key)}`;
  }, '');
}

const PARAM_MAX = 200;

function fieldErrors(issues: readonly Issue[]): FieldError[] {
  return issues.flatMap((issue) => {
    const paths = issue.keys ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    return paths.map((path) => ({
      param: (paramOf(path) || 'body').slice(0, PARAM_MAX),
      code: issue.code,
      message: issue.keys ? 'Unknown field.' : issue.message,
    }));
  });
}

const ERRORS_MAX = 20;

function refuse(issues: readonly Issue[]): never {
  const errors = fieldErrors(issues).slice(0, ERRORS_MAX);
  const first = errors[0];
  throw new AppError('validation_failed', `${first?.param}: ${first?.message}`, { param: first?.param, errors });
}

const JSON_TYPE = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

/** RFC 8259 wants UTF-8; a lenient decoder would store replacement characters. */
async function assertJson(c: Context): Promise<void> {
  if (!JSON_TYPE.test(c.req.header('content-type') ?? '')) {
    throw new AppError('unsupported_media_type', 'Send Content-Type: application/json.', { param: 'Content-Type' });
  }
  const bytes = await c.req.arrayBuffer();
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new AppError('malformed_request', 'The body is not valid UTF-8.', { param: 'body' });
  }
}

/** The JSON body: content type, encoding and shape are checked; read it with `c.req.valid('json')`. */
export function body<Schema extends z.ZodType>(schema: Schema) {
  const validate = zValidator('json', schema, (result) => {
    if (!result.success) refuse(result.error.issues);
  });
  const middleware: typeof validate = async (c, next) => {
    await assertJson(c);
    return validate(c, next);
  };
  return describeInput(middleware, { target: 'json', schema });
}

export function query<Schema extends z.ZodType>(schema: Schema) {
  const middleware = zValidator('query', schema, (result) => {
    if (!result.success) refuse(result.error.issues);
  });
  return describeInput(middleware, { target: 'query', schema });
}

/** An id that cannot exist is not found, exactly like one that does not. */
export function params<Schema extends z.ZodType>(schema: Schema) {
  const middleware = zValidator('param', schema, (result) => {
    if (!result.success) {
      throw notFound('resource', paramOf(result.error.issues[0]?.path ?? []));
    }
  });
  return describeInput(middleware, { target: 'param', schema });
}
