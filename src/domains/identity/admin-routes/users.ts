import { Hono } from 'hono';
import { changeOnce, createOnce } from '../../../platform/http/change.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { operation, type Operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { NewUser, User, UserList, UserPatch, UserQuery } from '../admin-schema.ts';
import { createUser, getUser, inviteLater, listUsers, settledUser, updateUserBy } from '../users.ts';
import { Path, staffOf } from './actor.ts';

const reading = { tag: 'Access', auth: 'staff', permission: 'users:read' } as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'users:write', apiKeys: 'refused' } as const satisfies Partial<Operation>;

async function show(c: AppContext, user: User, status: 200 | 201 = 200) {
  await versionedEtag(c, user.version, user);
  return reply(c, User, user, status);
}

export const userRoutes = new Hono<AppEnv>()
  .get(
    '/admin/users',
    operation({ ...reading, summary: 'People of the staff, newest first', replies: { 200: UserList } }),
    query(UserQuery),
    async (c) => reply(c, UserList, await listUsers(c.get('deps'), c.req.valid('query'))),
  )
  .post(
    '/admin/users',
    operation({ ...writing, summary: 'Invite somebody to the staff', replies: { 201: User }, errors: ['email_taken'] }),
    body(NewUser),
    (c) => {
      const deps = c.get('deps');
      return createOnce(
        c,
        async (on) => {
          const user = await createUser(deps, staffOf(c), on, c.req.valid('json'));
          inviteLater(deps, user.id);
          return show(c, user, 201);
        },
        async (id) => {
          inviteLater(deps, id);
          return show(c, await getUser(deps, id), 201);
        },
      );
    },
  )
  .get(
    '/admin/users/:id',
    operation({ ...reading, summary: 'One of the staff', replies: { 200: User } }),
    params(Path),
    async (c) => show(c, await getUser(c.get('deps'), c.req.valid('param').id)),
  )
  .patch(
    '/admin/users/:id',
    operation({ ...writing, summary: 'Set name, status or roles', replies: { 200: User }, errors: ['conflict'] }),
    params(Path),
    body(UserPatch),
    (c) => {
      const deps = c.get('deps');
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => show(c, await updateUserBy(deps, staffOf(c), on, c.req.valid('json'))),
        async (id) => show(c, await settledUser(deps, id)),
      );
    },
  )
  .delete(
    '/admin/users/:id',
    operation({ ...writing, summary: 'Deactivate one of the staff', replies: { 204: null }, errors: ['conflict'] }),
    params(Path),
    (c) => {
      const deps = c.get('deps');
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => {
          await updateUserBy(deps, staffOf(c), on, { status: 'deactivated' });
          return c.body(null, 204);
        },
        async (id) => {
          await settledUser(deps, id);
          return c.body(null, 204);
        },
      );
    },
  );
