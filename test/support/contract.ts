import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorObject, Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** OpenAPI 3.1, as far as it is read here. */
export interface ApiDocument {
  paths: Record<string, Record<string, ApiOperation>>;
  components: { [kind: string]: Record<string, unknown> };
}

export interface ApiOperation {
  operationId: string;
  security: Record<string, string[]>[];
  /** Who may call; staff need the permission. */
  'x-auth': 'none' | 'optional' | 'customer' | 'person' | 'staff' | 'metrics';
  'x-permission'?: string;
  'x-api-keys'?: 'refused';
  parameters: ApiParameter[];
  requestBody?: { content: Record<string, { schema: Record<string, unknown> }> };
  responses: Record<string, ApiResponse>;
}

export interface ApiParameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  schema: Record<string, unknown>;
}

interface ApiResponse {
  headers?: Record<string, { required?: boolean; schema: { type?: string } }>;
  content?: Record<string, { schema: unknown }>;
}

const BUILT = join(import.meta.dirname, '../../dist/assets/openapi.json');
const BODY_SHOWN = 500;
/** Answered from files, which the document does not describe. */
const ASSET = /^\/(openapi\.json|docs(\/.*)?)$/;
const NO_BODY = new Set([204, 304]);

/** The document that the build wrote, as it is deployed. */
export function builtDocument(): ApiDocument {
  return JSON.parse(readFileSync(BUILT, 'utf8')) as ApiDocument;
}

/** Follows a local `$ref`; anything else is returned as it is. */
export function dereference<T>(document: ApiDocument, value: T | { $ref: string }): T {
  if (typeof value !== 'object' || value === null || !('$ref' in value)) return value;
  const steps = value.$ref.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], document) as T;
}

/** A fetch of the Worker that throws, in the test that made the request, when the reply breaks the contract. */
export function checkedFetch(baseUrl: string): (path: string, init?: RequestInit) => Promise<Response> {
  const contract = new Contract(builtDocument());
  return async (path, init) => {
    const response = await fetch(`${baseUrl}${path}`, init);
    const method = (init?.method ?? 'GET').toUpperCase();
    const { pathname } = new URL(path, baseUrl);
    await contract.check(method, pathname, response.clone());
    return response;
  };
}

/** Holds replies against an OpenAPI document: status, media type, headers, and a body without unknown members. */
export class Contract {
  readonly #document: ApiDocument;
  readonly #ajv = new Ajv2020({ allErrors: true, strict: false, unicodeRegExp: false, validateSchema: false });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #templates: { template: string; pattern: RegExp }[];

  constructor(document: ApiDocument) {
    this.#document = document;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, 'api');
    // The path with the fewest parameters wins: /customers/me over /customers/{id}.
    this.#templates = Object.keys(document.paths)
      .sort((a, b) => a.split('{').length - b.split('{').length)
      .map((template) => ({ template, pattern: patternOf(template) }));
  }

  /** Throws an error that says what was expected and what came. Reads the response's body. */
  async check(method: string, pathname: string, response: Response): Promise<void> {
    if (method === 'OPTIONS' || ASSET.test(pathname)) return;
    const body = await response.text();
    const faults = this.#faults(method, pathname, response, body);
    if (faults.length === 0) return;
    const shown = body.length > BODY_SHOWN ? `${body.slice(0, BODY_SHOWN)}...` : body;
    const list = faults.map((fault) => `  - ${fault}`).join('\n');
    throw new Error(`${method} ${pathname} answered ${response.status} and breaks /openapi.json:\n${list}\n${shown}`);
  }

  #faults(method: string, pathname: string, response: Response, body: string): string[] {
    const { status } = response;
    const verb = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    const template = this.#templates.find(
      (each) => each.pattern.test(pathname) && this.#document.paths[each.template]?.[verb] !== undefined,
    )?.template;
    if (template === undefined) return this.#outsideFaults(response, body);
    const responses = this.#document.paths[template]?.[verb]?.responses ?? {};
    const described = responses[status];
    if (!described) return [`status ${status} is not described; ${Object.keys(responses).join(', ')} are`];
    const { headers = {}, content } = dereference(this.#document, described);
    const faults = this.#headerFaults(headers, response);
    if (method === 'HEAD') return faults;
    if (content === undefined || NO_BODY.has(status))
      return body === '' ? faults : [...faults, 'a body is not described'];
    const type = mediaType(response);
    if (!(type in content))
      return [...faults, `media type ${type || '(none)'} is not ${Object.keys(content).join(' or ')}`];
    if (!type.endsWith('json')) return faults;
    const owner = '$ref' in described ? String(described.$ref) : pointer('paths', template, verb, 'responses', status);
    return [...faults, ...this.#bodyFaults(`api${owner}${pointer('content', type, 'schema').slice(1)}`, body)];
  }

  /** A path or method that is no operation can only be refused. */
  #outsideFaults(response: Response, body: string): string[] {
    const faults = response.status < 400 ? ['no operation is described for this method and path'] : [];
    const type = mediaType(response);
    if (type !== 'application/problem+json') return [...faults, `media type ${type} is not application/problem+json`];
    return [...faults, ...this.#bodyFaults('api#/components/schemas/Problem', body)];
  }

  #headerFaults(headers: NonNullable<ApiResponse['headers']>, response: Response): string[] {
    return Object.entries(headers).flatMap(([name, reference]) => {
      const { required, schema } = dereference(this.#document, reference);
      const value = response.headers.get(name);
      if (value === null) return required ? [`header ${name} is missing`] : [];
      return schema.type === 'integer' && !/^\d+$/.test(value) ? [`header ${name} is no integer: ${value}`] : [];
    });
  }

  #bodyFaults(reference: string, body: string): string[] {
    let data: unknown;
    try {
      data = JSON.parse(body);
    } catch {
      return ['the body is not JSON'];
    }
    const validate = this.#validators.get(reference) ?? this.#ajv.compile({ $ref: reference });
    this.#validators.set(reference, validate);
    if (validate(data)) return [];
    return (validate.errors ?? []).map(describeError);
  }
}

function describeError({ instancePath, message, params }: ErrorObject): string {
  const { additionalProperty, unevaluatedProperty, allowedValues, allowedValue } = params as Record<string, unknown>;
  const detail = additionalProperty ?? unevaluatedProperty ?? allowedValues ?? allowedValue;
  return `${instancePath || 'body'} ${message}${detail === undefined ? '' : `: ${JSON.stringify(detail)}`}`;
}

function mediaType(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';
}

function patternOf(template: string): RegExp {
  const escaped = template.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
}

/** A JSON pointer as a URI fragment (RFC 6901, 6). */
function pointer(...steps: (string | number)[]): string {
  const escaped = steps.map((step) => encodeURIComponent(String(step).replaceAll('~', '~0').replaceAll('/', '~1')));
  return `#/${escaped.join('/')}`;
}
