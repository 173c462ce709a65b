export { sendMail } from './mail.ts';
