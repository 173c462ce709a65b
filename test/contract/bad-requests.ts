import type { ApiOperation, ApiParameter } from '../support/contract.ts';
import { type Examples, type Field, paramName, type Schema, withValue } from './examples.ts';

/** One faulty request and what has to be said of it. */
export interface BadRequest {
  fault: string;
  /** Instead of the operation's own path and query. */
  path?: string;
  query?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
  status: number;
  /** What the refusal has to name. */
  param?: string;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const BODY_BYTES_MAX = 64 * 1024;
/** What a provider delivers may be larger. */
export const DELIVERED_BYTES_MAX = 1024 * 1024;
const DEEP = 5_000;
const HUGE = 10_000;
/** Numbers that JSON.stringify cannot write; the marks are taken away from the text. */
const RAW = /"raw:([^"]+)"/g;
const DEEP_MARK = 'deep:';

function toJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(RAW, '$1')
    .replaceAll(`"${DEEP_MARK}"`, '['.repeat(DEEP) + ']'.repeat(DEEP));
}

function sent(fault: string, value: unknown, param: string): BadRequest {
  return { fault, headers: JSON_HEADERS, body: toJson(value), status: 422, param };
}

/** Bodies that are not what the route takes, whatever its schema. */
export function badBodies(example: unknown): BadRequest[] {
  const json = toJson(example);
  const malformed: [string, BodyInit][] = [
    ['an empty body', ''],
    ['a body of spaces', '   '],
    ['half of a JSON', json.slice(0, -1)],
    ['a JSON and more', `${json}}`],
    ['a trailing comma', json.replace(/\}$/, ',}')],
    ['JavaScript', "{'a': undefined}"],
    ['bad UTF-8', badUtf8(json)],
    ['UTF-16', new Uint8Array(Buffer.from(json, 'utf16le'))],
  ];
  const otherTypes = ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'text/json', 'json', ''];
  return [
    ...malformed.map(([fault, body]) => ({ fault, headers: JSON_HEADERS, body, status: 400, param: 'body' })),
    ...['null', '[]', '"text"', '5', 'true', '[{}]'].map((body) => ({
      fault: `JSON ${body} as the body`,
      headers: JSON_HEADERS,
      body,
      status: 422,
      param: 'body',
    })),
    { fault: 'deep nesting', headers: JSON_HEADERS, body: toJson(DEEP_MARK), status: 422, param: 'body' },
    { fault: 'no body at all', status: 415, param: 'Content-Type' },
    ...otherTypes.map((type) => ({
      fault: `Content-Type: ${type}`,
      headers: { 'content-type': type },
      body: json,
      status: 415,
      param: 'Content-Type',
    })),
    ...hugeBodies(json),
  ];
}

export function hugeBodies(json: string, bytesMax = BODY_BYTES_MAX): BadRequest[] {
  const huge = json + ' '.repeat(bytesMax);
  return [
    { fault: 'a huge body', headers: JSON_HEADERS, body: huge, status: 413, param: 'body' },
    {
      fault: 'a huge body without its length',
      headers: JSON_HEADERS,
      body: new Blob([huge]).stream(),
      status: 413,
      param: 'body',
    },
  ];
}

function badUtf8(json: string): Uint8Array<ArrayBuffer> {
  const marked = json === '{}' ? '{\u0001}' : json.replace(/"([^"]*)"\s*:/, '"$1\u0001":');
  const bytes = Buffer.from(marked, 'latin1');
  return new Uint8Array(bytes.map((byte) => (byte === 1 ? 0xff : byte)));
}

/** Each member missing, of a wrong type, out of its range; a member too many in each object. */
export function badMembers(examples: Examples, schema: Schema, example: unknown): BadRequest[] {
  const fields = examples.fields(schema, example);
  return [...unknownMembers([], example), ...fields.flatMap((field) => badValues(field, example))];
}

function badValues(field: Field, example: unknown): BadRequest[] {
  const { path, schema, nullable, required } = field;
  const param = paramName(path);
  const put = (value: unknown) => sent(`${param} = ${shown(value)}`, withValue(example, path, value), param);
  const own = path.reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], example);
  return [
    ...(required ? [sent(`${param} is missing`, withValue(example, path, undefined), param)] : []),
    ...(nullable || typeof path.at(-1) === 'number' ? [] : [put(null)]),
    { ...put(DEEP_MARK), param: schema.type === 'array' ? `${param}[0]` : param },
    ...wrongValues(schema, own).map(put),
    ...unknownMembers(path, example, own),
  ];
}

function shown(value: unknown): string {
  return toJson(value).slice(0, 40);
}

/** Well-formed, but before the first year and beyond what Postgres reads. */
const WRONG_TIMES = ['0000-01-01T00:00:00Z', `2026-01-01T00:00:00.${'1'.repeat(300)}Z`];

function wrongValues(schema: Schema, own: unknown): unknown[] {
  switch (schema.type) {
    case 'string': {
      const text = String(own);
      const tooLong = 'x'.repeat(Math.max(HUGE, (schema.maxLength ?? 0) + 1));
      const lone = ['\ud800', '\udfff'].map((half) => `${text.slice(0, 2)}${half}${text.slice(2)}`);
      const times = schema.format === 'date-time' ? WRONG_TIMES : [];
      return [5, true, {}, [], [text], '', tooLong, `${text}\0`, `\0${text}`, ...lone, ...times];
    }
    case 'integer':
    case 'number':
      return [
        '5',
        '',
        true,
        {},
        [],
        1.5,
        'raw:1e400',
        'raw:-1e400',
        2 ** 53,
        ...((schema.minimum ?? -1) >= 0 ? [-1] : []),
      ];
    case 'boolean':
      return ['true', 1, 0, {}, []];
    case 'array':
      return [
        'x',
        5,
        {},
        ...(schema.maxItems === undefined ? [] : [Array(schema.maxItems + 1).fill((own as unknown[])[0])]),
      ];
    case 'object':
      return ['x', 5, [], true];
    case undefined:
    default:
      throw new Error(`no wrong values for ${JSON.stringify(schema)}`);
  }
}

function unknownMembers(path: Field['path'], example: unknown, own: unknown = example): BadRequest[] {
  if (typeof own !== 'object' || own === null || Array.isArray(own)) return [];
  return ['surprise', '__proto__', 'constructor', 'toString'].flatMap((name) => {
    const param = paramName([...path, name]);
    const marked = path.length === 0 ? { ...own, 'unknown:': 1 } : withValue(example, [...path, 'unknown:'], 1);
    const plain = toJson(marked).replace('"unknown:":1', `"${name}":{"admin":true}`);
    const deep = toJson(marked).replace('"unknown:":1', `"${name}":${toJson(DEEP_MARK)}`);
    return [plain, deep].map((body) => ({
      fault: `unknown member ${param}`,
      headers: JSON_HEADERS,
      body,
      status: 422,
      param,
    }));
  });
}

/** Ids that no resource has. */
export function badPathValues(): string[] {
  const rubbish = ['~', '0', '-1', 'null', '%00', 'a%00b', '%ff', '%F0%9F', '%', '%zz', '%2e%2e%2f', "'%20or%201=1--"];
  return [...rubbish, 'a'.repeat(HUGE), '%F0%9F%98%80'.repeat(500)];
}

/** Values that a query parameter does not take, each parameter twice, and one that is unknown. */
export function badQueries(operation: ApiOperation): BadRequest[] {
  const named = operation.parameters.filter((each) => each.in === 'query' && !isOpen(each));
  if (named.length === 0) return [];
  const refuse = (query: string, param: string): BadRequest => ({
    fault: `?${query.slice(0, 60)}`,
    query,
    status: 422,
    param,
  });
  const open = operation.parameters.filter((each) => each.in === 'query' && isOpen(each));
  return [
    ...named.flatMap(({ name, schema }) =>
      wrongTexts(name, schema as Schema).map((text) => refuse(`${name}=${text}`, name)),
    ),
    ...named.map(({ name, schema }) => {
      const one = encodeURIComponent(String((schema as { enum?: string[] }).enum?.[0] ?? 1));
      return refuse(`${name}=${one}&${name}=${one}`, name);
    }),
    ...['surprise', 'constructor', 'toString', 'option', 'option.'].map((name) => refuse(`${name}=1`, name)),
    ...open
      .flatMap(() => ['option.size=', 'option.size=%00', `option.size=${'x'.repeat(HUGE)}`])
      .map((query) => refuse(query, 'option.size')),
    ...named.filter(({ name }) => name === 'cursor').flatMap(badCursors),
  ];
}

function isOpen(parameter: ApiParameter): boolean {
  return parameter.schema['patternProperties'] !== undefined;
}

function wrongTexts(name: string, schema: Schema): string[] {
  if (schema.type === 'integer') {
    const low = (schema.minimum ?? -1) >= 0 ? ['-1'] : [];
    return ['x', '1.5', '1e400', 'NaN', 'Infinity', '%00', '%ff', '9'.repeat(400), '[]', '{}', ...low];
  }
  const tooLong = 'x'.repeat((schema.maxLength ?? HUGE) + 1);
  if (name === 'cursor') return [tooLong];
  const times = schema.format === 'date-time' ? WRONG_TIMES : [];
  return [...times, '%00', '%ff', '%F0%9F%98%80', '%20', tooLong];
}

function badCursors({ name }: ApiParameter): BadRequest[] {
  const keys = [
    'null',
    '{}',
    '[]',
    '[1]',
    '["x"]',
    '["a","b","c"]',
    '[null,null]',
    '["\u0000","\u0000"]',
    '[1e400,"x"]',
  ];
  const encoded = keys.map((key) => Buffer.from(key).toString('base64url'));
  return ['garbage', '%00', '%ff', '!!!', '=', 'e30', ...encoded].map((cursor) => ({
    fault: `?${name}=${cursor}`,
    query: `${name}=${cursor}`,
    status: 400,
    param: name,
  }));
}

/** Header values that are refused wherever the operation reads the header; workerd drops empty ones that it knows. */
export function badHeaders(operation: ApiOperation, names: ReadonlySet<string>): BadRequest[] {
  const refuse = (name: string, status: number, values: readonly string[]): BadRequest[] =>
    values.map((value) => ({
      fault: `${name}: ${value.slice(0, 30)}`,
      headers: { [name]: value },
      status,
      param: name,
    }));
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`;
  const tokens = [
    'Bearer',
    'Bearer a b',
    'Basic YTpi',
    'Bearer garbage',
    `Bearer ${none}`,
    `Bearer ${'x'.repeat(5_000)}`,
  ];
  const keys = ['', 'x'.repeat(256), 'k\u00e9y', 'two words'];
  return [
    ...(operation.security.length > 0 ? refuse('Authorization', 401, [...tokens, 'Bearer k\u00e9y']) : []),
    ...(names.has('Idempotency-Key') ? refuse('Idempotency-Key', 400, keys) : []),
    ...(names.has('If-Match')
      ? refuse('If-Match', 412, ['garbage', '1', '""', '"x"', 'W/', '"1', '"1"x', '"99999999999"'])
      : []),
  ];
}
