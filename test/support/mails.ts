import { vi } from 'vitest';
import type { ReceivedMail } from '../../dev/mail/server.ts';
import type { Stack } from './stack.ts';

/** Mails to an address whose subject holds `about`, oldest first. */
export function mailsTo(stack: Stack, email: string, about = ''): ReceivedMail[] {
  return stack.mails.mails.filter(({ to, subject }) => to === email && subject.includes(about));
}

/** Waits for the `count`th such mail: they leave after the reply. */
export async function awaitMail(stack: Stack, email: string, about: string, count = 1): Promise<ReceivedMail> {
  return await vi.waitFor(
    () => {
      const mail = mailsTo(stack, email, about)[count - 1];
      if (!mail) throw new Error(`no mail about "${about}" (${count})`);
      return mail;
    },
    { timeout: 30_000, interval: 20 },
  );
}

export const RESET = 'Your password at';
export const CHANGED = 'has changed';
export const INVITATION = 'You are invited to work at';
export const VERIFY = 'Confirm your e-mail address';

/** The token in a mail's link. */
export function tokenIn({ text }: ReceivedMail): string {
  const token = /(?:#token=|Token: )([\w-]+)$/m.exec(text)?.[1];
  if (token === undefined) throw new Error(`no token in: ${text}`);
  return token;
}
