import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { appCode, enrollTotp } from '../support/totp.ts';

const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
const claimsOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

let production: Stack;
const noTestPayments = { PAYMENT_TEST_URL: '', PAYMENT_TEST_SECRET: '', PAYMENT_TEST_WEBHOOK_SECRET: '' };
beforeAll(async () => {
  production = await startStack({ env: { ENVIRONMENT: 'production', ...noTestPayments } });
});
afterAll(() => production.close());
const auditLog = (token: string) => call(production, 'GET', '/admin/audit-log', undefined, { token });

test('staff in production can do nothing but enroll until a second factor was shown, and cannot turn it off', async () => {
  const staff = await createStaff(production, 'owner');
  expect(refusal(await auditLog(staff.token))).toEqual([403, 'totp_enrollment_required', 'Authorization']);
  const { secret, token, refreshToken, recoveryCodes } = await enrollTotp(production, staff);
  expect(claimsOf(token).mfa).toBe(true);
  expect((await auditLog(token)).status).toBe(200);
  expect((await auditLog(staff.token)).status).toBe(401);
  const { email, password } = staff;
  const send = (path: string, body: Json, options: CallOptions = {}) => call(production, 'POST', path, body, options);
  const renewed = await send('/auth/refresh', { refresh_token: refreshToken });
  expect((await auditLog(renewed.body.access_token)).status).toBe(200);
  expect(refusal(await send('/auth/login', { email, password }))[1]).toBe('totp_required');
  const withCode = await send('/auth/login', { email, password, totp_code: appCode(secret, 1) });
  const recovered = await send('/auth/totp/recovery', { email, password, recovery_code: recoveryCodes[0] });
  for (const { body } of [withCode, recovered]) expect((await auditLog(body.access_token)).status).toBe(200);
  await production.owner.query('update accounts set totp_last_step = 0');
  const off = await send('/auth/totp/disable', { password, code: appCode(secret) }, { token });
  expect(refusal(off)).toEqual([403, 'forbidden', 'Authorization']);
  expect((await auditLog(token)).status).toBe(200);
});
