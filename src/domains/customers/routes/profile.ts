import { Hono } from 'hono';
import { AppError } from '../../../platform/errors.ts';
import { ifMatchVersions, versionedEtag } from '../../../platform/http/etag.ts';
import { once, type Claim } from '../../../platform/http/idempotency.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { requireCustomer } from '../../../platform/http/middleware.ts';
import { body } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { Tokens } from '../../identity/index.ts';
import { changePassword } from '../password.ts';
import { Customer, PasswordChange, ProfilePatch } from '../schema.ts';
import { getProfile, updateProfile } from '../service.ts';

const tag = 'Customers';

async function show(c: AppContext, customer: Customer) {
  await versionedEtag(c, customer.version, customer);
  return reply(c, Customer, customer);
}

export const profileRoutes = new Hono<AppEnv>()
  .get(
    '/customers/me',
    operation({ summary: 'Your own profile', tag, auth: 'customer', replies: { 200: Customer } }),
    async (c) => show(c, await getProfile(c.get('deps'), requireCustomer(c))),
  )
  .patch(
    '/customers/me',
    operation({
      summary: 'Change your names or phone',
      tag,
      auth: 'customer',
      replies: { 200: Customer },
      headers: { 'If-Match': 'Refuse with 412 unless the profile still has this ETag.' },
    }),
    body(ProfilePatch),
    (c) => {
      const [deps, id] = [c.get('deps'), requireCustomer(c)];
      const run = async (claim: Claim | null) =>
        show(c, await updateProfile(deps, id, c.req.valid('json'), { versions: ifMatchVersions(c), claim }));
      return once(c, run, async () => show(c, await getProfile(deps, id)));
    },
  )
  .post(
    '/customers/me/password',
    operation({
      summary: 'Change your password: every session ends, and a new one begins',
      tag,
      auth: 'customer',
      limit: 'login',
      replies: { 200: Tokens },
      errors: ['invalid_credentials', 'conflict', 'login_locked', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(PasswordChange),
    async (c) => {
      const actor = c.get('actor');
      if (actor.kind !== 'customer')
        throw new AppError('forbidden', 'This is for customers.', { param: 'Authorization' });
      return reply(c, Tokens, await changePassword(c.get('deps'), actor, c.req.valid('json')));
    },
  );
