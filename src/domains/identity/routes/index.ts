import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { emailRoutes } from './email.ts';
import { oidcRoutes } from './oidc.ts';
import { passwordRoutes } from './password.ts';
import { sessionListRoutes } from './session-list.ts';
import { sessionRoutes } from './sessions.ts';
import { totpRoutes } from './totp.ts';

export const identityRoutes = new Hono<AppEnv>()
  .route('/', sessionRoutes)
  .route('/', sessionListRoutes)
  .route('/', passwordRoutes)
  .route('/', emailRoutes)
  .route('/', oidcRoutes)
  .route('/', totpRoutes);
