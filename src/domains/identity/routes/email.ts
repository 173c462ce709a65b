import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { requireCustomer } from '../../../platform/http/middleware.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { confirmEmail, resendVerification } from '../email-verification.ts';
import { EmailVerification } from '../schema.ts';

export const emailRoutes = new Hono<AppEnv>()
  .post(
    '/auth/email/verify',
    operation({
      summary: 'Prove an e-mail address with the token of a mail',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      limit: 'reset',
      replies: { 204: null },
      errors: ['token_invalid'],
      idempotencyKey: 'ignored',
    }),
    body(EmailVerification),
    async (c) => {
      await confirmEmail(c.get('deps'), c.req.valid('json').token);
      return c.body(null, 204);
    },
  )
  .post(
    '/auth/email/verify/resend',
    operation({
      summary: 'Ask for another mail to prove your address with',
      tag: 'Identity',
      auth: 'customer',
      limit: 'reset',
      replies: { 202: null },
      idempotencyKey: 'ignored',
    }),
    async (c) => {
      await resendVerification(c.get('deps'), requireCustomer(c));
      return c.body(null, 202);
    },
  );
