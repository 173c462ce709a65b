export { sendMail } from './mail.ts';
export type { Mail, MailParams, MailTemplate } from './templates.ts';
