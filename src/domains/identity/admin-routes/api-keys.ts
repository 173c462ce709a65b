import { Hono } from 'hono';
import { changeOnce } from '../../../platform/http/change.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { operation, type Operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { AccessQuery, ApiKey, ApiKeyList, NewApiKey, ShownApiKey } from '../admin-schema.ts';
import { createApiKey, forgetKey, getApiKey, listApiKeys, revokeApiKey } from '../api-keys.ts';
import { Path, staffOf } from './actor.ts';

const reading = {
  tag: 'Access',
  auth: 'staff',
  permission: 'api_keys:read',
} as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'api_keys:write', apiKeys: 'refused' } as const satisfies Partial<Operation>;

export const apiKeyRoutes = new Hono<AppEnv>()
  .get(
    '/admin/api-keys',
    operation({
      ...reading,
      summary: 'API keys, newest first; never the keys themselves',
      replies: { 200: ApiKeyList },
    }),
    query(AccessQuery),
    async (c) => reply(c, ApiKeyList, await listApiKeys(c.get('deps'), c.req.valid('query'))),
  )
  .post(
    '/admin/api-keys',
    operation({
      ...writing,
      summary: 'Make an API key, shown this once',
      replies: { 201: ShownApiKey },
      // A stored reply would hold the key.
      idempotencyKey: 'ignored',
    }),
    body(NewApiKey),
    async (c) => {
      const deps = c.get('deps');
      const on = { id: deps.ids.uuid(), versions: null, claim: null, requestId: c.get('record').requestId };
      const made = await createApiKey(deps, staffOf(c), on, c.req.valid('json'));
      await versionedEtag(c, made.version, made.id);
      return reply(c, ShownApiKey, made, 201);
    },
  )
  .get(
    '/admin/api-keys/:id',
    operation({ ...reading, summary: 'One API key', replies: { 200: ApiKey } }),
    params(Path),
    async (c) => {
      const key = await getApiKey(c.get('deps'), c.req.valid('param').id);
      await versionedEtag(c, key.version, key);
      return reply(c, ApiKey, key);
    },
  )
  .delete(
    '/admin/api-keys/:id',
    operation({ ...writing, summary: 'Revoke an API key at once', replies: { 204: null } }),
    params(Path),
    (c) => {
      const deps = c.get('deps');
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => {
          await revokeApiKey(deps, staffOf(c), on);
          return c.body(null, 204);
        },
        async (id) => {
          await forgetKey(deps, id);
          return c.body(null, 204);
        },
      );
    },
  );
