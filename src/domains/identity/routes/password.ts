import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { clientAddress } from '../../../platform/http/address.ts';
import { operation } from '../../../platform/http/operation.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { choosePassword, forgotPassword } from '../password-reset.ts';
import { ForgotPassword, PasswordReset } from '../schema.ts';

export const passwordRoutes = new Hono<AppEnv>()
  .post(
    '/auth/password/forgot',
    operation({
      summary: 'Ask for a link to a new password; the answer is the same for unknown addresses',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      limit: 'reset',
      replies: { 202: null },
      idempotencyKey: 'ignored',
    }),
    body(ForgotPassword),
    async (c) => {
      await forgotPassword(c.get('deps'), c.req.valid('json').email);
      return c.body(null, 202);
    },
  )
  .post(
    '/auth/password/reset',
    operation({
      summary: 'Choose a new password with the token of a mail: every session ends',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      limit: 'reset',
      replies: { 204: null },
      errors: ['token_invalid', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(PasswordReset),
    async (c) => {
      const deps = c.get('deps');
      await choosePassword(deps, { ...c.req.valid('json'), network: clientAddress(c, deps.config) });
      return c.body(null, 204);
    },
  );
