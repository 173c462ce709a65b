import * as z from 'zod';
import { email, listOf, text, timestamp } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';

const status = z.enum(['active', 'deactivated']);

/** A customer as staff see them. */
export const AdminCustomer = z
  .object({
    id: z.string(),
    version: z.int(),
    email: z.string(),
    is_email_verified: z.boolean(),
    first_name: z.string().nullable(),
    last_name: z.string().nullable(),
    phone: z.string().nullable(),
    status,
    last_login_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'AdminCustomer' });
export type AdminCustomer = z.output<typeof AdminCustomer>;
export const AdminCustomerList = listOf(AdminCustomer).meta({ id: 'AdminCustomerList' });

/** `email` is compared whole, in any case. */
export const AdminCustomerQuery = z.strictObject({ ...pageQuery, email: email.optional(), status: status.optional() });

/** Null clears a field; an absent one stays as it is. */
export const AdminCustomerPatch = z
  .strictObject({
    first_name: text(100).nullable(),
    last_name: text(100).nullable(),
    phone: text(40).nullable(),
    status,
  })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name a field to change');
export type AdminCustomerPatch = z.output<typeof AdminCustomerPatch>;
