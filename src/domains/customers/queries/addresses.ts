import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import type { Address, AddressPatch } from '../schema.ts';

export interface AddressRow {
  id: string;
  address: Address;
  is_default_shipping: boolean;
  is_default_billing: boolean;
  created_at: string;
  updated_at: string;
}

const ADDRESSES_MAX = 50;

const columns = sql`id, address, is_default_shipping, is_default_billing, created_at, updated_at`;

export function addressById(id: string, customerId: string): Sql<AddressRow> {
  return sql<AddressRow>`
    select ${columns} from customer_addresses where id = ${id}::uuid and customer_id = ${customerId}::uuid`;
}

/** Newest first; limit + 1 rows. */
export function addressesOf(customerId: string, limit: number, before: string | null): Sql<AddressRow> {
  const keyset = before === null ? nothing : sql`and id < ${before}::uuid`;
  return sql<AddressRow>`
    select ${columns} from customer_addresses where customer_id = ${customerId}::uuid ${keyset}
    order by id desc limit ${limit + 1}::int`;
}

/** All of them: there is a bound on how many. */
export function allAddressesOf(customerId: string): Sql<AddressRow> {
  return sql<AddressRow>`
    select ${columns} from customer_addresses where customer_id = ${customerId}::uuid order by id`;
}

/** One change of a customer's addresses at a time, so that cap and defaults are decided on what is there. */
export function lockAddresses(customerId: string): Sql[] {
  return [
    sql`select id from customers where id = ${customerId}::uuid for update`,
    sql`
      select require(exists (select from customers where id = ${customerId}::uuid), 'unauthenticated',
        '{"param": "Authorization", "message": "The account is closed."}')`,
  ];
}

export function requireAddress(id: string, customerId: string): Sql {
  return sql`
    select require(exists (
      select from customer_addresses where id = ${id}::uuid and customer_id = ${customerId}::uuid), 'not_found',
      '{"param": "id", "message": "No such address."}')`;
}

type Defaults = Pick<AddressPatch, 'is_default_shipping' | 'is_default_billing'>;

/** The default that another address was until now. */
function takeDefaults(customerId: string, id: string, defaults: Defaults): Sql[] {
  const { is_default_shipping: shipping = false, is_default_billing: billing = false } = defaults;
  if (!shipping && !billing) return [];
  return [
    sql`
      update customer_addresses set updated_at = now(),
        is_default_shipping = is_default_shipping and not ${shipping}::boolean,
        is_default_billing = is_default_billing and not ${billing}::boolean
      where customer_id = ${customerId}::uuid and id <> ${id}::uuid
        and (is_default_shipping and ${shipping}::boolean or is_default_billing and ${billing}::boolean)`,
  ];
}

export function insertAddress(id: string, customerId: string, address: Address, defaults: Defaults): Sql[] {
  return [
    sql`
      select require(count(*) < ${ADDRESSES_MAX}::int, 'validation_failed',
        ${json({ param: 'body', message: `An account holds ${ADDRESSES_MAX} addresses.` })}::jsonb)
      from customer_addresses where customer_id = ${customerId}::uuid`,
    ...takeDefaults(customerId, id, defaults),
    sql`
      insert into customer_addresses (id, customer_id, address, is_default_shipping, is_default_billing)
      values (${id}::uuid, ${customerId}::uuid, ${json(address)}::jsonb,
        ${defaults.is_default_shipping ?? false}::boolean, ${defaults.is_default_billing ?? false}::boolean)`,
  ];
}

export function changeAddress(
  id: string,
  customerId: string,
  address: Omit<AddressPatch, keyof Defaults>,
  defaults: Defaults,
): Sql[] {
  const { is_default_shipping: shipping = null, is_default_billing: billing = null } = defaults;
  return [
    requireAddress(id, customerId),
    ...takeDefaults(customerId, id, defaults),
    sql`
      update customer_addresses set updated_at = now(), address = address || ${json(address)}::jsonb,
        is_default_shipping = coalesce(${shipping}::boolean, is_default_shipping),
        is_default_billing = coalesce(${billing}::boolean, is_default_billing)
      where id = ${id}::uuid and customer_id = ${customerId}::uuid`,
  ];
}

export function removeAddress(id: string, customerId: string): Sql {
  return sql`delete from customer_addresses where id = ${id}::uuid and customer_id = ${customerId}::uuid`;
}
