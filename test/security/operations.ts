import { randomBytes, randomUUID } from 'node:crypto';
import { Examples, type Schema, TEXTS } from '../contract/examples.ts';
import { type ApiDocument, type ApiOperation, type ApiParameter, dereference } from '../support/contract.ts';
import type { Stack } from '../support/stack.ts';

export interface Target {
  /** `GET /api/v1/markets` */
  name: string;
  verb: string;
  path: string;
  operation: ApiOperation;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** Every operation of a document: those there are today, and those that will be added. */
export function targetsOf(document: ApiDocument): Target[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([verb, operation]) => ({ name: `${verb.toUpperCase()} ${path}`, verb, path, operation })),
  );
}

/** Whether Authorization is read: what is open needs no proof, or has it in its body. */
export function readsCredential({ operation }: Target): boolean {
  return operation.security.some((scheme) => 'bearer' in scheme);
}

export function pathNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
}

/** In the form of a capability; nobody was ever given it. */
const NEVER_ISSUED = 'A'.repeat(22);

/** Sends requests in which nothing is wrong but the credential. */
export class Caller {
  readonly #stack: Stack;
  readonly #document: ApiDocument;
  readonly #examples: Examples;
  /** Examples by their schema: one is sent many times. */
  readonly #made = new Map<Schema, string>();

  /** `texts` are ids that bodies may name, before the common ones. */
  constructor(stack: Stack, document: ApiDocument, texts: readonly string[]) {
    this.#stack = stack;
    this.#document = document;
    this.#examples = new Examples(document, [...texts, ...TEXTS, NEVER_ISSUED]);
  }

  /** A request id that is always the same makes replies comparable to the byte. */
  async send(
    target: Target,
    token: string | undefined,
    { ids = {}, requestId = 'same' }: { ids?: Record<string, string>; requestId?: string } = {},
  ): Promise<Answer> {
    const { path, verb, operation } = target;
    const schema = operation.requestBody?.content['application/json']?.schema;
    const body = schema === undefined ? undefined : this.#body(schema);
    const response = await this.#stack.fetch(this.#url(path, operation, ids), {
      method: verb.toUpperCase(),
      headers: {
        // An address of its own, so that no limit is met.
        'x-real-ip': `2001:db8:${randomBytes(4).toString('hex').replace(/^.{4}/, '$&:')}::1`,
        'x-request-id': requestId,
        ...(operation.responses['428'] && { 'if-match': '"1"' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  #url(path: string, operation: ApiOperation, ids: Record<string, string>): string {
    const parameters = operation.parameters.map((each) => dereference<ApiParameter>(this.#document, each));
    const filled = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
      const schema = parameters.find((each) => each.in === 'path' && each.name === name)?.schema ?? {};
      return encodeURIComponent(ids[name] ?? this.#some(schema));
    });
    const query = parameters
      .filter((each) => each.in === 'query' && each.required === true)
      .map(({ name, schema }) => `${name}=${encodeURIComponent(this.#some(schema))}`);
    return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
  }

  #body(schema: Schema): string {
    return this.#once(schema, () => JSON.stringify(this.#examples.bodies(schema)[0]));
  }

  #once(schema: Schema, make: () => string): string {
    const made = this.#made.get(schema) ?? make();
    this.#made.set(schema, made);
    return made;
  }

  /** A value that a parameter takes, of something that is not there. */
  #some(schema: Schema): string {
    if (schema.format === 'uuid') return randomUUID();
    const [first = schema.const] = schema.enum ?? [];
    return typeof first === 'string' ? first : this.#once(schema, () => this.#examples.text(schema));
  }
}

/** One text for everything that every table holds, but for when a key was last used. */
export async function digest({ owner }: Stack): Promise<Record<string, string>> {
  const { rows } = await owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`,
  );
  const one = ({ name }: { name: string }) =>
    `select '${name}' as name, count(*) || ' rows ' ||
       md5(coalesce(string_agg((to_jsonb(t) - 'last_used_at')::text, ',' order by t::text), '')) as digest from "${name}" t`;
  const { rows: digests } = await owner.query<{ name: string; digest: string }>(rows.map(one).join(' union all '));
  return Object.fromEntries(digests.map((each) => [each.name, each.digest]));
}
