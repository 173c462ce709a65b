import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type ApiDocument, dereference } from '../support/contract.ts';

/** JSON Schema, as far as request bodies of the document use it. */
export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: { required: string[] }[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
}

export interface Field {
  path: (string | number)[];
  /** Without null and references. */
  schema: Schema;
  nullable: boolean;
  required: boolean;
}

const ajv = new Ajv2020({ strict: false, unicodeRegExp: false });
addFormats.default(ajv);

/** Looks into schemas of one document; `texts` are tried where a string has to match. */
export class Examples {
  readonly #document: ApiDocument;
  readonly #texts: readonly string[];

  constructor(document: ApiDocument, texts: readonly string[]) {
    this.#document = document;
    this.#texts = texts;
  }

  /** Valid bodies with every optional member: one, or one for each alternative of `oneOf`. */
  bodies(schema: Schema): unknown[] {
    const whole = this.#value(schema) as Record<string, unknown>;
    const alternatives = this.#resolve(schema).schema.oneOf ?? [{ required: [] }];
    return alternatives.map(({ required }) => {
      const isOther = (name: string) =>
        !required.includes(name) && alternatives.some((each) => each.required.includes(name));
      return Object.fromEntries(Object.entries(whole).filter(([name]) => !isOther(name)));
    });
  }

  /** Every member of a body, at any depth. */
  fields(schema: Schema, body: unknown, path: Field['path'] = []): Field[] {
    const { schema: own } = this.#resolve(schema);
    if (Array.isArray(body)) return this.#field(own.items ?? {}, body[0], [...path, 0], false);
    if (typeof body !== 'object' || body === null) return [];
    return Object.entries(body).flatMap(([name, value]) =>
      this.#field(own.properties?.[name] ?? {}, value, [...path, name], own.required?.includes(name) ?? false),
    );
  }

  #field(schema: Schema, value: unknown, path: Field['path'], required: boolean): Field[] {
    const resolved = this.#resolve(schema);
    return [{ path, ...resolved, required }, ...this.fields(resolved.schema, value, path)];
  }

  #resolve(schema: Schema): { schema: Schema; nullable: boolean } {
    const own = dereference<Schema>(this.#document, schema);
    if (own.anyOf === undefined) return { schema: own, nullable: false };
    const rest = own.anyOf.filter((each) => each.type !== 'null');
    return { schema: this.#resolve(rest[0] ?? {}).schema, nullable: rest.length < own.anyOf.length };
  }

  #value(given: Schema): unknown {
    const { schema } = this.#resolve(given);
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    switch (schema.type) {
      case 'object':
        return Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([name, property]) => [name, this.#value(property)]),
        );
      case 'array':
        return [this.#value(schema.items ?? {})];
      case 'integer':
      case 'number':
        return Math.max(schema.minimum ?? 1, 1);
      case 'boolean':
        return true;
      case 'string':
        return this.text(schema);
      case undefined:
      default:
        throw new Error(`no example for ${JSON.stringify(schema)}`);
    }
  }

  text(schema: Schema): string {
    const fitting = this.#texts.find((text) => ajv.validate({ ...schema, type: 'string' }, text));
    if (fitting === undefined) throw new Error(`no text fits ${JSON.stringify(schema)}: add one to the test`);
    return fitting;
  }
}

/** One text for each format that a schema may ask for; a test puts ids of its own before them. */
export const TEXTS: readonly string[] = [
  'us',
  'US',
  'USD',
  'a@example.test',
  'aaa.bbb.ccc',
  '123456',
  '2099-01-01T00:00:00Z',
  '0199a1b2-0000-7000-8000-00000000000e',
  '0199a1b2-0000-7000-8000-00000000000e.aaaaaaaaaaaaaaaaaaaaaa',
  'https://shop.example.test/signed-in',
];

/** `items[0].quantity` */
export function paramName(path: Field['path']): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

/** A copy of `body` with another value at `path`; `undefined` takes it away. */
export function withValue(body: unknown, path: Field['path'], value: unknown): unknown {
  const copy: unknown = structuredClone(body);
  const owner = path.slice(0, -1).reduce<unknown>((node, step) => (node as Record<string, unknown>)[step], copy);
  const last = path.at(-1) ?? '';
  if (value === undefined) delete (owner as Record<string, unknown>)[last];
  else (owner as Record<string, unknown>)[last] = value;
  return copy;
}
