import { readBody, serveHttp } from '../http-endpoint.ts';

export interface ReceivedMail {
  from: string;
  to: string;
  subject: string;
  text: string;
}

export interface MailApi {
  url: string;
  /** Each message once, oldest first. */
  mails: ReceivedMail[];
  close(): Promise<void>;
}

export interface MailApiOptions {
  token: string;
  onMail?: (mail: ReceivedMail) => void;
}

const BODY_LIMIT_BYTES = 64 * 1024;

function isMail(value: unknown): value is ReceivedMail {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Record<string, unknown> = { ...value };
  return ['from', 'to', 'subject', 'text'].every((name) => typeof fields[name] === 'string' && fields[name] !== '');
}

/** A mail API in the shape of Resend's, for the local stack and the tests: keeps what it is handed and delivers nothing. */
export async function startMailApi({ token, onMail = () => undefined }: MailApiOptions): Promise<MailApi> {
  const mails: ReceivedMail[] = [];
  const ids = new Map<string, string>();
  const refuse = (status: number, message: string) => ({ status, body: { statusCode: status, message } });
  const endpoint = await serveHttp(
    0,
    async (request) => {
      if (request.headers.authorization !== `Bearer ${token}`) return refuse(401, 'unknown API key');
      if (request.method !== 'POST' || request.url !== '/emails') return refuse(404, 'there is POST /emails');
      const mail: unknown = JSON.parse((await readBody(request, BODY_LIMIT_BYTES)).toString());
      if (!isMail(mail)) return refuse(422, 'from, to, subject and text are needed');
      const key = String(request.headers['idempotency-key'] ?? `without key ${mails.length}`);
      const id = ids.get(key) ?? `mail_${ids.size + 1}`;
      if (!ids.has(key)) {
        ids.set(key, id);
        mails.push(mail);
        onMail(mail);
      }
      return { status: 200, body: { id } };
    },
    (line) => console.error(line),
  );
  return { url: `http://127.0.0.1:${endpoint.port}/emails`, mails, close: () => endpoint.close() };
}

/** As a person at the terminal wants to read it. */
export function printMail({ to, subject, text }: ReceivedMail): void {
  const lines = [`To: ${to}`, `Subject: ${subject}`, '', ...text.trimEnd().split('\n')];
  console.log(['', ...lines.map((line) => `  | ${line}`), ''].join('\n'));
}
