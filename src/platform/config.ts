import type * as z from 'zod';
import { conflictsOf } from './config/conflicts.ts';
import { givenIn, parseVariables } from './config/faults.ts';
import { bindings } from './config/variables.ts';

export { ConfigError } from './config/faults.ts';

/** Every binding, typed. Durations: `*_MS` milliseconds, `*_TTL` and `*_WINDOW` seconds. Limits are requests per window. */
export type Config = Readonly<z.output<typeof bindings>>;

/** What the Worker is told; throws ConfigError naming every faulty binding. Blank counts as unset. */
export function parseConfig(env: object): Config {
  const given = givenIn(env);
  return parseVariables(bindings, given, conflictsOf(given));
}
