import * as z from 'zod';
import { countryCode, email, text, timestamp } from '../../platform/http/schema.ts';
import { Password, Tokens } from '../identity/index.ts';

export const Customer = z
  .object({
    id: z.string(),
    email: z.string(),
    first_name: z.string().nullable(),
    last_name: z.string().nullable(),
    phone: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Customer' });
export type Customer = z.output<typeof Customer>;

/** A postal address as it is frozen on carts and orders. */
export const Address = z
  .strictObject({
    first_name: text(100),
    last_name: text(100),
    company: text(200).nullish(),
    line1: text(200),
    line2: text(200).nullish(),
    city: text(100),
    region: text(100).nullish(),
    postal_code: text(20),
    country: countryCode,
    phone: text(40).nullish(),
  })
  .meta({ id: 'Address' });
export type Address = z.output<typeof Address>;

export const Registration = z.strictObject({
  email,
  password: Password,
  first_name: text(100).nullish(),
  last_name: text(100).nullish(),
});

/** `customer` is null for staff. */
export const SignedIn = Tokens.extend({ customer: Customer.nullable() }).meta({ id: 'SignedIn' });
export type SignedIn = z.output<typeof SignedIn>;
