import type { Deps } from '../../platform/deps.ts';
import { redact } from '../../platform/telemetry/redact.ts';
import { postMessage, type MailApi } from './transport.ts';
import { renderMail, type Mail, type MailTemplate } from './templates.ts';

function apiOf({ MAIL_API_URL: url, MAIL_API_TOKEN: token, MAIL_FROM: from, MAIL_TIMEOUT_MS }: Deps['config']) {
  if (url === undefined || token === undefined || from === undefined) return null;
  return { api: { url, token, timeoutMs: MAIL_TIMEOUT_MS } satisfies MailApi, from };
}

/**
 * Sends one mail; never rejects, since nothing that a person asked for may fail for want of a mail. It may take seconds:
 * call it in `deps.defer`. The log knows the template and how it went, never the address or what was written.
 */
export async function sendMail<Template extends MailTemplate>(
  { config, ids, log, metrics }: Deps,
  { to, template, params }: Mail<Template>,
): Promise<void> {
  const mail_template = redact(template);
  const sender = apiOf(config);
  if (!sender) {
    metrics.count('ecommerce_mails_total', ['failed']);
    log.log('warn', 'mail not sent: MAIL_API_URL is not set', { mail_template });
    return;
  }
  const message = { from: sender.from, to, ...renderMail(config, template, params) };
  const { attempts, fault } = await postMessage(sender.api, message, ids.uuid(), mail_template);
  metrics.count('ecommerce_mails_total', [fault === null ? 'sent' : 'failed']);
  if (fault === null) log.log('info', 'mail sent', { mail_template, attempts });
  else log.log('warn', 'mail not sent', { mail_template, attempts, cause: fault });
}
