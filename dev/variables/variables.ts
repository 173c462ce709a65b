import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { bindings, hostVariables } from '../../src/platform/config/variables.ts';

/** A variable as its schema and the comment above it describe it. */
export interface Variable {
  name: string;
  /** Who reads it: the Worker, or what runs beside it. */
  readBy: ('worker' | 'host')[];
  isRequired: boolean;
  isSecret: boolean;
  /** As it would be written; null when there is none. */
  default: string | null;
  range: string;
  about: string;
}

const FILE = new URL('../../src/platform/config/variables.ts', import.meta.url);
const DOCUMENTED = /^ +\/\*\* (.+) \*\/\n +([A-Z][A-Z0-9_]+): /gm;

const Described = z.object({
  type: z.string(),
  default: z.union([z.string(), z.number()]).optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  unit: z.string().optional(),
  form: z.string().optional(),
  isSecret: z.boolean().optional(),
});
type Described = z.output<typeof Described>;

const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 20 });

function rangeOf({ minimum = 0, maximum = Infinity, minLength, maxLength, ...described }: Described): string {
  if (described.enum) return described.enum.map((each) => `\`${each}\``).join(', ');
  if (described.form !== undefined) return described.form;
  if (described.type === 'string') {
    return maxLength === undefined
      ? `${minLength}+ characters`
      : `${minLength} to ${number.format(maxLength)} characters`;
  }
  const least = number.format(minimum);
  const range = maximum > Number.MAX_SAFE_INTEGER - 1 ? `${least}+` : `${least} to ${number.format(maximum)}`;
  return described.unit === undefined ? range : `${range} ${described.unit}`;
}

/** A flag's default is no text in its schema, since it comes out as a boolean. */
function defaultOf(described: Described, schema: z.ZodType): string | null {
  if (described.default !== undefined) return String(described.default);
  const { data } = schema.safeParse(undefined);
  return typeof data === 'boolean' ? String(data) : null;
}

/** Every variable, in the order of the file; throws when one has no line of its own. */
export function allVariables(): Variable[] {
  const about = new Map(
    [...readFileSync(FILE, 'utf8').matchAll(DOCUMENTED)].map(([, line = '', name = '']) => [name, line]),
  );
  const all = new Map<string, Variable>();
  for (const [reader, schema] of [
    ['worker', bindings],
    ['host', hostVariables()],
  ] as const) {
    const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    for (const [name, property] of Object.entries(properties)) {
      const known = all.get(name);
      if (known) {
        known.readBy.push(reader);
        continue;
      }
      const line = about.get(name);
      if (line === undefined) throw new Error(`${name} has no line above it in src/platform/config/variables.ts`);
      const described = Described.parse(property);
      const shape: Record<string, z.ZodType> = schema.shape;
      const member = shape[name] ?? z.never();
      all.set(name, {
        name,
        readBy: [reader],
        isRequired: required.includes(name),
        isSecret: described.isSecret ?? false,
        default: defaultOf(described, member),
        range: rangeOf(described),
        about: line,
      });
    }
  }
  return [...all.values()];
}
