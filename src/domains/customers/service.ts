import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { claimStatements, type Claim } from '../../platform/http/idempotency.ts';
import {
  addressById,
  addressesOf,
  changeAddress,
  insertAddress,
  lockAddresses,
  removeAddress,
  requireAddress,
  type AddressRow,
} from './queries/addresses.ts';
import { changeProfile, customerById, type CustomerRow } from './queries/customers.ts';
import type { AddressPatch, CustomerAddress, NewAddress, ProfilePatch } from './schema.ts';

export async function getProfile(deps: Deps, id: string): Promise<CustomerRow> {
  const [[row]] = await deps.db.read(customerById(id));
  if (!row) throw new AppError('unauthenticated', 'The account is closed.', { param: 'Authorization' });
  return row;
}

/** One batch. 412 when `versions` (of If-Match) hold another version than the account's. */
export async function updateProfile(
  deps: Deps,
  id: string,
  patch: ProfilePatch,
  { versions, claim }: { versions: readonly number[] | null; claim: Claim | null },
): Promise<CustomerRow> {
  const statements = [...claimStatements(claim, id), ...changeProfile(id, versions, patch)];
  const row = await deps.db.commit(statements, customerById(id), { resend: claim !== null });
  if (!row) throw new Error('the profile is not there after its change');
  return row;
}

/** The contract's address; `address` is stored as it was sent. */
export function toAddress({ address, ...row }: AddressRow): CustomerAddress {
  return { ...address, ...row };
}

export async function listAddresses(
  deps: Deps,
  customerId: string,
  page: { limit: number; cursor?: string | undefined },
) {
  const after = decodeCursor(page.cursor, z.tuple([z.uuid()]));
  const [rows] = await deps.db.read(addressesOf(customerId, page.limit, after?.[0] ?? null));
  return pageOf(rows, page.limit, { item: toAddress, key: (row) => [row.id] });
}

/** 404 for everybody but its owner. */
export async function getAddress(deps: Deps, customerId: string, id: string): Promise<CustomerAddress> {
  const [[row]] = await deps.db.read(addressById(id, customerId));
  if (!row) throw notFound('address');
  return toAddress(row);
}

interface AddressChange {
  id: string;
  customerId: string;
  claim: Claim | null;
}

/** One batch; an address that becomes a default takes that from the one that was. */
export async function addAddress(
  deps: Deps,
  { id, customerId, claim }: AddressChange,
  { is_default_shipping, is_default_billing, ...address }: NewAddress,
): Promise<CustomerAddress> {
  const row = await deps.db.commit(
    [
      ...claimStatements(claim, id),
      ...lockAddresses(customerId),
      ...insertAddress(id, customerId, address, { is_default_shipping, is_default_billing }),
    ],
    addressById(id, customerId),
    { resend: claim !== null },
  );
  if (!row) throw new Error('the address is not there after it was added');
  return toAddress(row);
}

export async function updateAddress(
  deps: Deps,
  { id, customerId, claim }: AddressChange,
  { is_default_shipping, is_default_billing, ...address }: AddressPatch,
): Promise<CustomerAddress> {
  const row = await deps.db.commit(
    [
      ...claimStatements(claim, id),
      ...lockAddresses(customerId),
      ...changeAddress(id, customerId, address, { is_default_shipping, is_default_billing }),
    ],
    addressById(id, customerId),
    { resend: claim !== null },
  );
  if (!row) throw notFound('address');
  return toAddress(row);
}

export async function deleteAddress(deps: Deps, { id, customerId, claim }: AddressChange): Promise<void> {
  await deps.db.commit(
    [...claimStatements(claim, id), ...lockAddresses(customerId), requireAddress(id, customerId)],
    removeAddress(id, customerId),
    { resend: claim !== null },
  );
}
