export { gatekeeper } from './gatekeeper.ts';
export { identityRoutes } from './routes/index.ts';
export { PERMISSIONS, Permission } from './permissions.ts';
export { activeAccountByEmail, insertAccount } from './queries/accounts.ts';
export { removeExpiredSessions, revokeSessionsOf, type SessionRow } from './queries/sessions.ts';
export { openSession, republishRevocations, tokensOf } from './service.ts';
export { Credentials, Password, Tokens } from './schema.ts';
