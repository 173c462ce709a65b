import type * as z from 'zod';

export type Given = Readonly<Record<string, unknown>>;

/** Names every faulty variable at once and never a value of one. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: string[];

  constructor(faults: string[]) {
    super(`misconfigured: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/** What was given: an empty string counts as unset, as an exported but blank shell variable should. */
export function givenIn(env: object): Given {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}

/** Throws ConfigError with what is wrong with each variable by itself and with `conflicts`, what is wrong between them. */
export function parseVariables<Schema extends z.ZodType>(
  schema: Schema,
  given: Given,
  conflicts: string[],
): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success && conflicts.length === 0) return result.data;
  const faults = (result.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`;
  });
  throw new ConfigError([...faults, ...conflicts]);
}
