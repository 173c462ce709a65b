import { Hono } from 'hono';
import type { AppEnv } from '../../../platform/http/context.ts';
import { sessionRoutes } from './sessions.ts';

export const identityRoutes = new Hono<AppEnv>().route('/', sessionRoutes);
