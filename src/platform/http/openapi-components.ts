import * as z from 'zod';
import { Problem } from './schema.ts';

/** JSON Schema 2020-12 as OpenAPI 3.1 takes it; typed as far as it is read here. */
export interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  [keyword: string]: unknown;
}

const LOCAL = '#/$defs/';
const SHARED = '#/components/schemas/';

/**
 * Collects what operations share. A zod schema with an id becomes one component; where it reads and writes differently
 * (a default, say) the read form is kept as `<id>Input`, so add what is written first.
 */
export class Components {
  readonly #schemas = new Map<string, JsonSchema>();
  readonly #responses = new Map<string, JsonSchema>();
  /** Open for further members, which each response then closes. */
  readonly problem = this.addSchema(Problem, 'input');

  /** `input` is what a client may send, `output` what it gets: unknown members are then ruled out. */
  addSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const { $schema: _dialect, $defs, ...root } = z.toJSONSchema(schema, { io, override: readable });
    const definitions = Object.entries($defs ?? {});
    const names = this.#namesOf(definitions, io);
    for (const [id, definition] of definitions) this.#schemas.set(names.get(id) ?? id, pointed(definition, names));
    return pointed(root, names);
  }

  addResponse(name: string, response: JsonSchema): JsonSchema {
    this.#responses.set(name, response);
    return { $ref: `#/components/responses/${name}` };
  }

  schemas(): Record<string, JsonSchema> {
    return sorted(this.#schemas);
  }

  responses(): Record<string, JsonSchema> {
    return sorted(this.#responses);
  }

  #namesOf(definitions: readonly [string, object][], io: 'input' | 'output'): Map<string, string> {
    const own = new Map(definitions.map(([id]) => [id, id]));
    const differs = definitions.some(([id, definition]) => {
      const known = this.#schemas.get(id);
      return known !== undefined && JSON.stringify(known) !== JSON.stringify(pointed(definition, own));
    });
    if (!differs) return own;
    if (io === 'output') throw new Error(`two schemas share an id among ${[...own.keys()].join(', ')}`);
    return new Map(definitions.map(([id]) => [id, `${id}Input`]));
  }
}

/** What zod adds and says little to a reader: a format's own pattern, and the bounds of every integer in JavaScript. */
function readable({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { format } = jsonSchema;
  if (format === 'email' || format === 'uuid') delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (format === 'date-time') jsonSchema.examples = ['2026-01-31T12:00:00Z'];
}

function sorted(components: ReadonlyMap<string, JsonSchema>): Record<string, JsonSchema> {
  return Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same schema with its references pointed at the shared components. */
function pointed(schema: object, names: ReadonlyMap<string, string>): JsonSchema {
  const text = JSON.stringify(schema, (key: string, value: unknown) => {
    if (key !== '$ref' || typeof value !== 'string' || !value.startsWith(LOCAL)) return value;
    const id = value.slice(LOCAL.length);
    return SHARED + (names.get(id) ?? id);
  });
  const copy: JsonSchema = JSON.parse(text);
  return copy;
}
