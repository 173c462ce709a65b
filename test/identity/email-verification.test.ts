import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awaitMail, mailsTo, tokenIn, VERIFY } from '../support/mails.ts';
import { register, type Person } from '../support/people.ts';
import { call, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { EMAIL_VERIFICATION_URL: 'https://shop.example.test/verify#token={token}' } });
});
afterAll(() => stack.close());

const verify = (token: string) => call(stack, 'POST', '/auth/email/verify', { token });
const resend = (token?: string) =>
  call(stack, 'POST', '/auth/email/verify/resend', undefined, token === undefined ? {} : { token });
const refusal = ({ status, body }: Reply) => [status, body?.code, body?.param];
const INVALID = [422, 'token_invalid', 'token'];

const age = ({ id }: Person) =>
  stack.owner.query(`update account_tokens set created_at = created_at - interval '61 s' where account_id = $1`, [id]);
const verifiedAt = async ({ id }: Person) =>
  (await stack.owner.query('select email_verified_at from accounts where id = $1', [id])).rows[0].email_verified_at;

async function registered(): Promise<{ person: Person; token: string }> {
  const person = await register(stack);
  return { person, token: tokenIn(await awaitMail(stack, person.email, VERIFY)) };
}

describe('an address', () => {
  test('is proven with the token of the mail that registering sends, once', async () => {
    const { person, token } = await registered();
    const text = mailsTo(stack, person.email, VERIFY)[0]?.text;
    expect(text).toContain(`https://shop.example.test/verify#token=${token}\n`);
    expect(text).toContain('for 3 days');
    expect(await verifiedAt(person)).toBeNull();
    expect(refusal(await verify(token))).toEqual([204, undefined, undefined]);
    expect(await verifiedAt(person)).not.toBeNull();
    expect(refusal(await verify(token))).toEqual(INVALID);
  });

  test('is proven once when twenty try at the same time', async () => {
    const { token } = await registered();
    const replies = await Promise.all(Array.from({ length: 20 }, () => verify(token)));
    expect(replies.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(replies.filter(({ body }) => body?.code === 'token_invalid')).toHaveLength(19);
  });

  test.each([
    `update account_tokens set expires_at = now() where account_id = $1`,
    `update accounts set email = 'moved-' || email where id = $1`,
    `update accounts set status = 'deactivated' where id = $1`,
  ])('is not proven after: %s', async (change) => {
    const { person, token } = await registered();
    await stack.owner.query(change, [person.id]);
    expect(refusal(await verify(token))).toEqual(INVALID);
    expect(await verifiedAt(person)).toBeNull();
  });

  test('that is taken gets no mail', async () => {
    const { person } = await registered();
    const again = await call(stack, 'POST', '/auth/register', { email: person.email, password: randomUUID() });
    expect(refusal(again)).toEqual([409, 'email_taken', 'email']);
    await registered();
    expect(mailsTo(stack, person.email)).toHaveLength(1);
  });
});

describe('asking for another mail', () => {
  test('sends one a minute, and its token takes the place of the first', async () => {
    const { person, token: first } = await registered();
    expect((await resend(person.token)).status).toBe(202);
    await age(person);
    expect((await resend(person.token)).status).toBe(202);
    const second = tokenIn(await awaitMail(stack, person.email, VERIFY, 2));
    expect(mailsTo(stack, person.email, VERIFY)).toHaveLength(2);
    expect(refusal(await verify(first))).toEqual(INVALID);
    expect((await verify(second)).status).toBe(204);
  });

  test('is answered alike, and sends none, once the address is proven', async () => {
    const { person, token } = await registered();
    await verify(token);
    const { status, text } = await resend(person.token);
    expect([status, text]).toEqual([202, '']);
    await registered();
    expect(mailsTo(stack, person.email, VERIFY)).toHaveLength(1);
  });

  test('is for signed-in customers', async () => {
    expect((await resend()).status).toBe(401);
    const staff = await call(stack, 'POST', '/auth/login', {
      email: 'admin@demo.test',
      password: 'demo-admin-password',
    });
    expect((await resend(staff.body.access_token)).status).toBe(403);
  });
});
