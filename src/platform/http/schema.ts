import * as z from 'zod';

/** Postgres holds no NUL and no lone surrogate. */
const isStorable = (value: string) => !value.includes('\0') && value.isWellFormed();
const STORABLE = 'must be well-formed text without NUL';

/** Text that Postgres can hold, as it is. */
export const storable = z.string().refine(isStorable, STORABLE);

/** Text that Postgres can hold, trimmed and bounded. */
export function text(max: number, min = 1) {
  return z.string().trim().min(min).max(max).refine(isStorable, STORABLE);
}

/** In the case in which Postgres answers it, so that ids compare as text. */
export const uuid = z.uuid().toLowerCase();
export const email = z.email().max(254).toLowerCase();
/** ISO 3166-1 alpha-2, upper case. */
export const countryCode = z
  .string()
  .regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 alpha-2 code')
  .meta({ examples: ['US'] });
/** ISO 4217, upper case. */
export const currencyCode = z
  .string()
  .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code')
  .meta({ examples: ['USD'] });
/** Integer minor units. */
export const money = z.int().min(0);
export const timestamp = z.iso.datetime();
/** A time that somebody gives: one that Postgres can hold, whose years begin at 1 and whose seconds have six places. */
export const moment = timestamp.max(30).refine((value) => !value.startsWith('0000'), 'must be a year from 1 to 9999');

/** RFC 9457 with this product's members. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    param: z.string().optional(),
    errors: z.array(z.looseObject({ param: z.string(), code: z.string(), message: z.string() })).optional(),
    request_id: z.string(),
  })
  .meta({ id: 'Problem' });

/** A page of a list. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ data: z.array(item), has_more: z.boolean(), next_cursor: z.string().nullable() });
}
