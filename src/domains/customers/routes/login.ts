import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { clientAddress } from '../../../platform/http/address.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import type { ErrorCode } from '../../../platform/errors.ts';
import { login } from '../login.ts';
import { Login, RecoveryLogin, SignedIn } from '../schema.ts';

const ERRORS = [
  'invalid_credentials',
  'totp_required',
  'login_locked',
  'overloaded',
] as const satisfies readonly ErrorCode[];

const signInOperation = (summary: string) =>
  operation({
    summary,
    tag: 'Identity',
    auth: 'none',
    credentials: 'in_body',
    limit: 'login',
    replies: { 200: SignedIn },
    errors: ERRORS,
    idempotencyKey: 'ignored',
  });

const networkOf = (c: AppContext) => clientAddress(c, c.get('deps').config);

export const loginRoutes = new Hono<AppEnv>()
  .post(
    '/auth/login',
    signInOperation('Sign in with e-mail and password, and a code where a second factor is active'),
    body(Login),
    async (c) => {
      const { email, password, totp_code } = c.req.valid('json');
      const shown = { email, password, totpCode: totp_code, network: networkOf(c) };
      return reply(c, SignedIn, await login(c.get('deps'), shown));
    },
  )
  .post(
    '/auth/totp/recovery',
    signInOperation('Sign in with a recovery code in place of the second factor'),
    body(RecoveryLogin),
    async (c) => {
      const { email, password, recovery_code } = c.req.valid('json');
      const shown = { email, password, recoveryCode: recovery_code, network: networkOf(c) };
      return reply(c, SignedIn, await login(c.get('deps'), shown));
    },
  );
