export { activeAccountByEmail, insertAccount, removeExpiredSessions, type AccountRow } from './queries.ts';
export { openSession } from './service.ts';
export { identityRoutes } from './routes.ts';
export { Credentials, Password, Tokens } from './schema.ts';
