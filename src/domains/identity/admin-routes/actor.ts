import * as z from 'zod';
import { AppError } from '../../../platform/errors.ts';
import { uuid } from '../../../platform/http/schema.ts';
import type { AppContext } from '../../../platform/http/context.ts';
import type { StaffActor } from '../queries/access.ts';

export const Path = z.object({ id: uuid });

/** Whoever changes access; the route has refused all others already. */
export function staffOf(c: AppContext): StaffActor {
  const actor = c.get('actor');
  if (actor.kind !== 'staff') throw new AppError('forbidden', 'This is for staff.', { param: 'Authorization' });
  return actor;
}
