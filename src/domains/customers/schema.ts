import * as z from 'zod';
import { countryCode, email, listOf, storable, text, timestamp } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { Credentials, Password, RecoveryCode, Tokens, TotpCode } from '../identity/index.ts';

export const Customer = z
  .object({
    id: z.string(),
    version: z.int(),
    email: z.string(),
    first_name: z.string().nullable(),
    last_name: z.string().nullable(),
    phone: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'Customer' });
export type Customer = z.output<typeof Customer>;

/** Null clears a field; an absent one stays as it is. */
export const ProfilePatch = z.strictObject({
  first_name: text(100).nullish(),
  last_name: text(100).nullish(),
  phone: text(40).nullish(),
});
export type ProfilePatch = z.output<typeof ProfilePatch>;

export const PasswordChange = z.strictObject({
  current_password: storable.min(1).max(200),
  new_password: Password,
});
export type PasswordChange = z.output<typeof PasswordChange>;

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

const defaults = { is_default_shipping: z.boolean().optional(), is_default_billing: z.boolean().optional() };

export const NewAddress = Address.extend(defaults);
export type NewAddress = z.output<typeof NewAddress>;

/** Null clears an optional field; an absent one stays as it is. */
export const AddressPatch = Address.partial().extend(defaults);
export type AddressPatch = z.output<typeof AddressPatch>;

/** An address that a customer keeps; at most one is the default of each kind. */
export const CustomerAddress = z
  .object({
    id: z.string(),
    ...Address.shape,
    is_default_shipping: z.boolean(),
    is_default_billing: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'CustomerAddress' });
export type CustomerAddress = z.output<typeof CustomerAddress>;

export const CustomerAddressList = listOf(CustomerAddress).meta({ id: 'CustomerAddressList' });
export const AddressQuery = z.strictObject(pageQuery);

export const Registration = z.strictObject({
  email,
  password: Password,
  first_name: text(100).nullish(),
  last_name: text(100).nullish(),
});

/** `totp_code` is needed once a second factor is active. */
export const Login = Credentials.extend({ totp_code: TotpCode.optional() });

export const RecoveryLogin = Credentials.extend({ recovery_code: RecoveryCode });

/** `customer` is null for staff. */
export const SignedIn = Tokens.extend({ customer: Customer.nullable() }).meta({ id: 'SignedIn' });
export type SignedIn = z.output<typeof SignedIn>;
