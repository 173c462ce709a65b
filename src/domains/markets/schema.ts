import * as z from 'zod';
import { currencyCode } from '../../platform/http/schema.ts';

export const MarketCode = z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be a market code such as us');

const Market = z
  .object({
    id: z.string(),
    code: MarketCode,
    name: z.string(),
    currency: currencyCode,
    tax_inclusive: z.boolean(),
    countries: z.array(z.string()),
    manual_payments: z.boolean(),
    is_default: z.boolean(),
  })
  .meta({ id: 'Market' });

export const MarketList = z.object({ data: z.array(Market), has_more: z.boolean(), next_cursor: z.null() });
