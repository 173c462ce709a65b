import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { sessionRoutes } from './sessions.ts';
import { totpRoutes } from './totp.ts';

export const identityRoutes = new Hono<AppEnv>().route('/', sessionRoutes).route('/', totpRoutes);
