import * as z from 'zod';
import { timestamp } from '../../../platform/http/schema.ts';
import { Address, Customer, CustomerAddress } from '../../customers/index.ts';
import { Order } from '../schema.ts';

const Cart = z.object({
  id: z.string(),
  status: z.enum(['open', 'completing', 'completed']),
  email: z.string().nullable(),
  shipping_address: Address.nullable(),
  billing_address: Address.nullable(),
  note: z.string().nullable(),
  items: z.array(z.object({ sku_id: z.string(), quantity: z.int() })),
  discount_codes: z.array(z.string()),
  created_at: timestamp,
  updated_at: timestamp,
});

/** All that is held of a person (GDPR, article 15), but for secrets and their digests. */
export const CustomerExport = z
  .object({
    exported_at: timestamp,
    customer: Customer,
    sign_in: z.object({
      email_verified_at: timestamp.nullable(),
      last_login_at: timestamp.nullable(),
      has_password: z.boolean(),
      has_second_factor: z.boolean(),
      sessions: z.array(
        z.object({
          created_at: timestamp,
          refreshed_at: timestamp,
          expires_at: timestamp,
          revoked_at: timestamp.nullable(),
        }),
      ),
      providers: z.array(z.object({ provider: z.string(), subject: z.string(), created_at: timestamp })),
      mailed: z.array(
        z.object({
          purpose: z.string(),
          email: z.string().nullable(),
          created_at: timestamp,
          used_at: timestamp.nullable(),
        }),
      ),
    }),
    addresses: z.array(CustomerAddress),
    carts: z.array(Cart),
    orders: z.array(Order),
    activity: z.array(z.object({ action: z.string(), actor_kind: z.string(), created_at: timestamp })),
  })
  .meta({ id: 'CustomerExport' });
export type CustomerExport = z.output<typeof CustomerExport>;
