import type { Config } from '../../platform/config.ts';

interface Link {
  /** Goes into the link of the shop's page, or stands alone where there is no page. */
  token: string;
  expiresInS: number;
}

/** What each mail needs to know. Nothing that a caller typed is in a mail, so none can be made to carry a message. */
export interface MailParams {
  password_reset: Link;
  staff_invitation: Link;
  email_verification: Link;
  password_changed: Record<string, never>;
  /** The way back to a guest's order, for as long as the order is there. */
  order_access: { orderId: string; number: string; token: string };
}

export type MailTemplate = keyof MailParams;

export interface Mail<Template extends MailTemplate> {
  to: string;
  template: Template;
  params: MailParams[Template];
}

interface Content {
  subject: string;
  paragraphs: string[];
}

interface Shop {
  name: string;
  passwordUrl: string | undefined;
  emailUrl: string | undefined;
  orderUrl: string | undefined;
}

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function spell(seconds: number): string {
  if (seconds >= 2 * DAY_S) return plural(Math.floor(seconds / DAY_S), 'day');
  if (seconds >= 2 * HOUR_S) return plural(Math.floor(seconds / HOUR_S), 'hour');
  return plural(Math.max(1, Math.floor(seconds / MINUTE_S)), 'minute');
}

/** The invitation and the way on: a link on a line of its own, and until when it is good. */
function linked(invitation: string, url: string | undefined, { token, expiresInS }: Link): string[] {
  const target = url === undefined ? `Token: ${token}` : url.replaceAll('{token}', token);
  return [invitation, target, `It is good once, for ${spell(expiresInS)}.`];
}

const CONTENTS: { [Template in MailTemplate]: (params: MailParams[Template], shop: Shop) => Content } = {
  password_reset: (link, { name, passwordUrl }) => ({
    subject: `Your password at ${name}`,
    paragraphs: [
      ...linked(`Somebody, most likely you, wants to set a new password at ${name}. To choose one:`, passwordUrl, link),
      'If it was not you, there is nothing to do: your password stays as it is.',
    ],
  }),
  staff_invitation: (link, { name, passwordUrl }) => ({
    subject: `You are invited to work at ${name}`,
    paragraphs: linked(`An account for staff of ${name} was made for you. To choose its password:`, passwordUrl, link),
  }),
  email_verification: (link, { name, emailUrl }) => ({
    subject: `Confirm your e-mail address at ${name}`,
    paragraphs: [
      ...linked(
        `An account at ${name} was opened with this e-mail address. To confirm that it is yours:`,
        emailUrl,
        link,
      ),
      'If you did not open it, do not confirm.',
    ],
  }),
  password_changed: (_params, { name }) => ({
    subject: `Your password at ${name} has changed`,
    paragraphs: [
      `The password of your account at ${name} was changed, and other devices were signed out.`,
      'If that was not you, ask for a new password at once.',
    ],
  }),
  order_access: ({ orderId, number, token }, { name, orderUrl }) => ({
    subject: `Your order ${number} at ${name}`,
    paragraphs: [
      `Somebody, most likely you, asked for the way back to your order ${number} at ${name}:`,
      orderUrl === undefined
        ? `Order: ${orderId}\nToken: ${token}`
        : orderUrl.replaceAll('{order_id}', orderId).replaceAll('{token}', token),
      'Whoever has it can read this order. If it was not you who asked, there is nothing to do.',
    ],
  }),
};

/** `Corner Shop <mail@shop.example>` has the name that people know. */
function shopName({ MAIL_FROM, SERVICE_NAME }: Config): string {
  const display = /^\s*"?([^"<]+?)"?\s*</.exec(MAIL_FROM ?? '')?.[1];
  return display ?? SERVICE_NAME;
}

/** Plain text, since a link that can be read is a link that can be checked. */
export function renderMail<Template extends MailTemplate>(
  config: Config,
  template: Template,
  params: MailParams[Template],
): { subject: string; text: string } {
  const { PASSWORD_RESET_URL: passwordUrl, EMAIL_VERIFICATION_URL: emailUrl, ORDER_URL: orderUrl } = config;
  const { subject, paragraphs } = CONTENTS[template](params, {
    name: shopName(config),
    passwordUrl,
    emailUrl,
    orderUrl,
  });
  return { subject, text: `${paragraphs.join('\n\n')}\n` };
}
