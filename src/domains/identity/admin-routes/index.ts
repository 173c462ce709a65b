import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { roleRoutes } from './roles.ts';
import { userRoutes } from './users.ts';

export const identityAdminRoutes = new Hono<AppEnv>()
  .route('/', userRoutes)
  .route('/', roleRoutes)
  .route('/', apiKeyRoutes);
