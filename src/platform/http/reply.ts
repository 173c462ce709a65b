import type { Context } from 'hono';
import type * as z from 'zod';

/**
 * Answers `data` as JSON. The schema checks types at compile time only: parsing here could turn a committed order into a
 * 500. The contract test parses every response it sees.
 */
export function reply<Schema extends z.ZodType, Status extends 200 | 201 | 202 | 503 = 200>(
  c: Context,
  _schema: Schema,
  data: z.output<Schema>,
  status?: Status,
) {
  return c.json(data, status ?? 200);
}
