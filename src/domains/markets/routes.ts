import { Hono } from 'hono';
import { operation } from '../../platform/http/operation.ts';
import { reply } from '../../platform/http/reply.ts';
import type { AppEnv } from '../../platform/http/context.ts';
import { allMarkets } from './queries.ts';
import { CATALOG_CACHE } from './cache.ts';
import { MarketList } from './schema.ts';

export const marketRoutes = new Hono<AppEnv>().get(
  '/markets',
  operation({
    summary: 'Markets: currency, tax mode and countries',
    tag: 'Catalog',
    auth: 'none',
    cache: CATALOG_CACHE,
    replies: { 200: MarketList },
  }),
  async (c) => {
    const [data] = await c.get('deps').db.read(allMarkets);
    return reply(c, MarketList, { data, has_more: false, next_cursor: null });
  },
);
