import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { addressRoutes } from './addresses.ts';
import { loginRoutes } from './login.ts';
import { oidcRoutes } from './oidc.ts';
import { profileRoutes } from './profile.ts';
import { registerRoutes } from './register.ts';

export const customerRoutes = new Hono<AppEnv>()
  .route('/', registerRoutes)
  .route('/', loginRoutes)
  .route('/', oidcRoutes)
  .route('/', profileRoutes)
  .route('/', addressRoutes);
