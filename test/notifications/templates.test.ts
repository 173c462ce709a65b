import { describe, expect, test, vi } from 'vitest';
import { sendMail } from '../../src/domains/notifications/mail.ts';
import { renderMail, type MailTemplate } from '../../src/domains/notifications/templates.ts';
import { parseConfig } from '../../src/platform/config.ts';
import type { Deps } from '../../src/platform/deps.ts';
import { BINDINGS } from '../platform/bindings.ts';

const MAIL = {
  MAIL_API_URL: 'https://mail.example.test/emails',
  MAIL_API_TOKEN: 'a token of 20 chars.',
  MAIL_FROM: '"Corner Shop" <mail@shop.example.test>',
};
const PAGES = {
  PASSWORD_RESET_URL: 'https://shop.example.test/reset#token={token}',
  EMAIL_VERIFICATION_URL: 'https://shop.example.test/verify?t={token}',
};
const LINK = { token: 'Jx3-k9_QwErTy0aBcDeFgH', expiresInS: 3_600 };

describe('a mail', () => {
  test.each<[MailTemplate, string]>([
    ['password_reset', 'https://shop.example.test/reset#token=Jx3-k9_QwErTy0aBcDeFgH'],
    ['staff_invitation', 'https://shop.example.test/reset#token=Jx3-k9_QwErTy0aBcDeFgH'],
    ['email_verification', 'https://shop.example.test/verify?t=Jx3-k9_QwErTy0aBcDeFgH'],
  ])('%s has its link on a line of its own, and says whose it is', (template, link) => {
    const { subject, text } = renderMail(parseConfig({ ...BINDINGS, ...MAIL, ...PAGES }), template, LINK);
    expect(subject).toMatch(/ Corner Shop$/);
    expect(text.split('\n')).toContain(link);
    expect(text).toContain('It is good once, for 60 minutes.');
  });

  test('shows the token alone where the shop has no page', () => {
    const { text } = renderMail(parseConfig({ ...BINDINGS, ...MAIL }), 'password_reset', LINK);
    expect(text.split('\n')).toContain('Token: Jx3-k9_QwErTy0aBcDeFgH');
  });

  test('that only tells something has no link', () => {
    const config = parseConfig({ ...BINDINGS, ...MAIL, ...PAGES });
    expect(renderMail(config, 'password_changed', {}).text).not.toMatch(/https?:|Token:/);
  });

  test.each([
    [60, '1 minute'],
    [3_600, '60 minutes'],
    [86_400, '24 hours'],
    [259_200, '3 days'],
  ])('that is good for %i s says %s', (expiresInS, spelled) => {
    const { text } = renderMail(parseConfig({ ...BINDINGS, ...MAIL }), 'password_reset', { ...LINK, expiresInS });
    expect(text).toContain(`for ${spelled}.`);
  });
});

test('without MAIL_API_URL nothing is sent, and log and metrics say so', async () => {
  const fetched = vi.spyOn(globalThis, 'fetch');
  const [log, count] = [vi.fn<Deps['log']['log']>(), vi.fn<Deps['metrics']['count']>()];
  const deps = { config: parseConfig(BINDINGS), log: { log }, metrics: { count } } as unknown as Deps;
  await sendMail(deps, { to: 'ada@example.test', template: 'password_reset', params: LINK });
  expect(fetched).not.toHaveBeenCalled();
  expect(count).toHaveBeenCalledExactlyOnceWith('ecommerce_mails_total', ['failed']);
  expect(log.mock.calls).toEqual([
    ['warn', 'mail not sent: MAIL_API_URL is not set', { mail_template: 'password_reset' }],
  ]);
});

test.each([
  [
    { MAIL_API_URL: MAIL.MAIL_API_URL },
    ['MAIL_API_TOKEN is needed with MAIL_API_URL', 'MAIL_FROM is needed with MAIL_API_URL'],
  ],
  [{ PASSWORD_RESET_URL: 'https://shop.example.test/reset' }, ['PASSWORD_RESET_URL must contain {token}']],
  [{ EMAIL_VERIFICATION_URL: 'javascript:{token}' }, ['EMAIL_VERIFICATION_URL must be an http(s) URL']],
])('the bindings %j are refused', (given, faults) => {
  expect(() => parseConfig({ ...BINDINGS, ...given })).toThrow(expect.objectContaining({ faults }));
});
