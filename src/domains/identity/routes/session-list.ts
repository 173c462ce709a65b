import { Hono } from 'hono';
import * as z from 'zod';
import { params } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { uuid } from '../../../platform/http/schema.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { SessionList } from '../schema.ts';
import { endOneSession, endOtherSessions, listSessions, personOf } from '../session-list.ts';

const tag = 'Identity';

export const sessionListRoutes = new Hono<AppEnv>()
  .get(
    '/auth/sessions',
    operation({ summary: 'Where you are signed in', tag, auth: 'person', replies: { 200: SessionList } }),
    async (c) => {
      const data = await listSessions(c.get('deps'), personOf(c.get('actor')));
      return reply(c, SessionList, { data, has_more: false, next_cursor: null });
    },
  )
  .delete(
    '/auth/sessions',
    operation({
      summary: 'Sign out everywhere else',
      tag,
      auth: 'person',
      replies: { 204: null },
      idempotencyKey: 'ignored',
    }),
    async (c) => {
      await endOtherSessions(c.get('deps'), personOf(c.get('actor')));
      return c.body(null, 204);
    },
  )
  .delete(
    '/auth/sessions/:id',
    operation({
      summary: 'Sign out one of your sessions',
      tag,
      auth: 'person',
      replies: { 204: null },
      errors: ['not_found'],
      idempotencyKey: 'ignored',
    }),
    params(z.object({ id: uuid })),
    async (c) => {
      await endOneSession(c.get('deps'), personOf(c.get('actor')), c.req.valid('param').id);
      return c.body(null, 204);
    },
  );
