export { activeAccountByEmail, insertAccount, removeExpiredSessions } from './queries.ts';
export { openSession } from './service.ts';
export { identityRoutes } from './routes.ts';
export { Credentials, Password, Tokens } from './schema.ts';
