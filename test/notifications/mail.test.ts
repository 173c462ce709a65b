import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Exchange } from '../support/fault-proxy.ts';
import { awaitMail, mailsTo, VERIFY } from '../support/mails.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

const METRICS_TOKEN = randomUUID();
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { MAIL_TIMEOUT_MS: '2000', METRICS_TOKEN, METRICS_FLUSH_SECONDS: '1' } });
});
afterAll(() => stack.close());
beforeEach(() => stack.mail.clear());

const newEmail = () => `${randomUUID()}@people.example.test`;
const to = (email: string) => (exchange: Exchange) => exchange.requestBody.includes(email);
const triesFor = (email: string) => stack.mail.exchanges.filter(to(email));
const linesAbout = (msg: string) => stack.logs().filter((line) => line['msg'] === msg);

/** Resolves when the mail has been given up, or sent, `count` times since `before`. */
async function awaitLine(msg: string, before: number): Promise<Record<string, unknown>> {
  await expect.poll(() => linesAbout(msg).length, { timeout: 60_000 }).toBeGreaterThan(before);
  return linesAbout(msg).at(-1) ?? {};
}

test('a mail is what mail APIs take: JSON, a bearer token, an id that makes a repeat harmless', async () => {
  const email = newEmail();
  await register(stack, { email });
  await awaitMail(stack, email, VERIFY);
  const [sent, ...more] = triesFor(email);
  expect(more).toEqual([]);
  expect(sent).toMatchObject({ method: 'POST', path: '/emails' });
  expect(sent?.headers['content-type']).toBe('application/json');
  expect(sent?.headers.authorization).toMatch(/^Bearer [\da-f]{64}$/);
  expect(sent?.headers['idempotency-key']).toMatch(/^[\da-f-]{36}$/);
  expect(sent?.headers).not.toHaveProperty('traceparent');
  const body = JSON.parse(sent?.requestBody ?? '');
  expect(Object.keys(body).toSorted()).toEqual(['from', 'subject', 'text', 'to']);
  expect(body).toMatchObject({ from: 'Test shop <shop@example.test>', to: email });
  expect(body.subject).toBe('Confirm your e-mail address at Test shop');
  // Logged once the API's reply is there, which is after the mail is: no other test may count it.
  await awaitLine('mail sent', 0);
});

test('a try that fails is repeated with the same id, and the log says how many it took', async () => {
  const [email, before] = [newEmail(), linesAbout('mail sent').length];
  stack.mail.inject(to(email), { respond: { status: 503, body: email } });
  stack.mail.inject(to(email), 'drop_request');
  await register(stack, { email });
  await awaitMail(stack, email, VERIFY);
  expect(await awaitLine('mail sent', before)).toMatchObject({ mail_template: 'email_verification', attempts: 3 });
  expect(new Set(triesFor(email).map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
});

test('a mail whose reply was lost arrives once', async () => {
  const [email, before] = [newEmail(), linesAbout('mail sent').length];
  stack.mail.inject(to(email), 'drop_reply');
  await register(stack, { email });
  await awaitLine('mail sent', before);
  expect(triesFor(email)).toHaveLength(2);
  expect(mailsTo(stack, email)).toHaveLength(1);
});

test('what the API refuses is not tried again, and its words stay out of the log', async () => {
  const [email, before] = [newEmail(), linesAbout('mail not sent').length];
  stack.mail.inject(to(email), { respond: { status: 422, body: `{"message":"no such address ${email}"}` } });
  await register(stack, { email });
  const line = await awaitLine('mail not sent', before);
  expect(line).toMatchObject({ level: 'warn', mail_template: 'email_verification', attempts: 1, cause: 'HTTP 422' });
  expect(JSON.stringify(stack.logs())).not.toContain(email);
});

test('an API that never answers neither fails nor delays the request', async () => {
  const [email, before] = [newEmail(), linesAbout('mail not sent').length];
  const never = Promise.withResolvers<void>();
  const { fired } = stack.mail.inject(to(email), { hold_request: never.promise }, 3);
  // Answered while the first try is still waiting for its answer.
  await register(stack, { email });
  await fired;
  const line = await awaitLine('mail not sent', before);
  expect(line).toMatchObject({ attempts: 3 });
  expect(triesFor(email)).toHaveLength(3);
  never.resolve();
});

test('mails are counted by how they went', async () => {
  const count = async (outcome: string): Promise<number> => {
    const response = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    const text = await response.text();
    return Number(new RegExp(`^ecommerce_mails_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  await expect.poll(() => count('sent'), { timeout: 30_000 }).toBe(linesAbout('mail sent').length);
  await expect.poll(() => count('failed'), { timeout: 30_000 }).toBe(linesAbout('mail not sent').length);
});
