import { Hono } from 'hono';
import { AppError } from '../../../platform/errors.ts';
import { body } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import type { ErrorCode } from '../../../platform/errors.ts';
import { activate, disable, enroll, type Person } from '../totp-enrollment.ts';
import { TotpActivated, TotpConfirmation, TotpEnrollment, TotpRemoval, TotpSecret } from '../totp-schema.ts';

const tag = 'Identity';
const ERRORS = ['login_locked', 'conflict', 'unauthenticated'] as const satisfies ErrorCode[];

function personOf(c: AppContext): Person {
  const actor = c.get('actor');
  if (actor.kind === 'customer' || actor.kind === 'staff') return actor;
  throw new AppError('unauthenticated', 'Sign in first.', { param: 'Authorization' });
}

export const totpRoutes = new Hono<AppEnv>()
  .post(
    '/auth/totp/enroll',
    operation({
      summary: 'A secret for an authenticator app; it counts once a code of it was verified',
      tag,
      auth: 'person',
      limit: 'login',
      replies: { 200: TotpSecret },
      errors: [...ERRORS, 'invalid_credentials', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(TotpEnrollment),
    async (c) => reply(c, TotpSecret, await enroll(c.get('deps'), personOf(c), c.req.valid('json').password)),
  )
  .post(
    '/auth/totp/verify',
    operation({
      summary: 'Turn the second factor on with a first code; other sessions end',
      tag,
      auth: 'person',
      limit: 'login',
      replies: { 200: TotpActivated },
      errors: [...ERRORS, 'totp_required'],
      idempotencyKey: 'ignored',
    }),
    body(TotpConfirmation),
    async (c) => {
      const { requestId } = c.get('record');
      return reply(c, TotpActivated, await activate(c.get('deps'), personOf(c), { ...c.req.valid('json'), requestId }));
    },
  )
  .post(
    '/auth/totp/disable',
    operation({
      summary: 'Turn the second factor off; other sessions end',
      tag,
      auth: 'person',
      limit: 'login',
      replies: { 204: null },
      errors: [...ERRORS, 'invalid_credentials', 'totp_required', 'forbidden', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(TotpRemoval),
    async (c) => {
      const { requestId } = c.get('record');
      await disable(c.get('deps'), personOf(c), { ...c.req.valid('json'), requestId });
      return c.body(null, 204);
    },
  );
