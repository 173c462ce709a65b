import { describeCause } from '../../platform/http/problem.ts';
import { redact, type Loggable } from '../../platform/telemetry/redact.ts';
import { tracedFetch } from '../../platform/telemetry/trace/steps.ts';

export interface MailApi {
  url: string;
  token: string;
  timeoutMs: number;
}

/** The body that mail APIs such as Resend's take. */
export interface Message {
  from: string;
  to: string;
  subject: string;
  text: string;
}

export interface Posted {
  attempts: number;
  /** Why it was not taken; null when it was. */
  fault: Loggable | null;
}

const TRIES_MAX = 3;
const RETRY_DELAY_MS = 500;
/** Work after a reply is cut off after 30 s on Workers; until then all tries have to be over. */
const TOTAL_MS = 25_000;

/**
 * Hands a message to the mail API; never rejects. Each try carries the same Idempotency-Key, so a message whose reply was
 * lost is not sent twice. What the API refuses (most 4xx) is not tried again. Its replies are not read: they
 * may quote the address.
 */
export async function postMessage(api: MailApi, message: Message, id: string, template: Loggable): Promise<Posted> {
  const end = AbortSignal.timeout(TOTAL_MS);
  for (let attempts = 1; ; attempts += 1) {
    const { fault, isFinal } = await tryPost(api, message, { id, template, end });
    if (isFinal || attempts === TRIES_MAX || end.aborted) return { attempts, fault };
    await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS * attempts));
  }
}

/** 409: a try with the same key is still under way. */
const LATER = new Set([408, 409, 425, 429]);

interface Try {
  id: string;
  template: Loggable;
  end: AbortSignal;
}

async function tryPost(
  { url, token, timeoutMs }: MailApi,
  message: Message,
  { id, template, end }: Try,
): Promise<{ fault: Loggable | null; isFinal: boolean }> {
  try {
    const init = {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify(message),
      redirect: 'manual' as const,
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), end]),
    };
    const response = await tracedFetch(url, init, { 'ecommerce.mail.template': template });
    await response.body?.cancel();
    const { ok, status } = response;
    return ok
      ? { fault: null, isFinal: true }
      : { fault: redact(`HTTP ${status}`), isFinal: status < 500 && !LATER.has(status) };
  } catch (error) {
    return { fault: describeCause(error), isFinal: false };
  }
}
