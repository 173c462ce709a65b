import { Hono } from 'hono';
import { changeOnce, createOnce } from '../../../platform/http/change.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { operation, type Operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { AccessQuery, NewRole, Role, RoleList, RolePatch } from '../admin-schema.ts';
import { createRole, getRole, listRoles, removeRole, settledRole, updateRoleBy } from '../roles.ts';
import { Path, staffOf } from './actor.ts';

const reading = { tag: 'Access', auth: 'staff', permission: 'roles:read' } as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'roles:write', apiKeys: 'refused' } as const satisfies Partial<Operation>;

async function show(c: AppContext, role: Role, status: 200 | 201 = 200) {
  await versionedEtag(c, role.version, role);
  return reply(c, Role, role, status);
}

export const roleRoutes = new Hono<AppEnv>()
  .get(
    '/admin/roles',
    operation({ ...reading, summary: 'Roles, newest first', replies: { 200: RoleList } }),
    query(AccessQuery),
    async (c) => reply(c, RoleList, await listRoles(c.get('deps'), c.req.valid('query'))),
  )
  .post(
    '/admin/roles',
    operation({ ...writing, summary: 'Make a role', replies: { 201: Role }, errors: ['conflict'] }),
    body(NewRole),
    (c) => {
      const deps = c.get('deps');
      return createOnce(
        c,
        async (on) => show(c, await createRole(deps, staffOf(c), on, c.req.valid('json')), 201),
        async (id) => show(c, await getRole(deps, id), 201),
      );
    },
  )
  .get(
    '/admin/roles/:id',
    operation({ ...reading, summary: 'One role', replies: { 200: Role } }),
    params(Path),
    async (c) => show(c, await getRole(c.get('deps'), c.req.valid('param').id)),
  )
  .patch(
    '/admin/roles/:id',
    operation({ ...writing, summary: 'Set name or permissions', replies: { 200: Role }, errors: ['conflict'] }),
    params(Path),
    body(RolePatch),
    (c) => {
      const deps = c.get('deps');
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => show(c, await updateRoleBy(deps, staffOf(c), on, c.req.valid('json'))),
        async (id) => show(c, await settledRole(deps, id)),
      );
    },
  )
  .delete(
    '/admin/roles/:id',
    operation({ ...writing, summary: 'Delete a role that nobody has', replies: { 204: null }, errors: ['conflict'] }),
    params(Path),
    (c) => {
      const done = () => c.body(null, 204);
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => {
          await removeRole(c.get('deps'), staffOf(c), on);
          return done();
        },
        () => Promise.resolve(done()),
      );
    },
  );
