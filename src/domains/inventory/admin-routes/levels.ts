import { Hono } from 'hono';
import * as z from 'zod';
import { decodeCursor, pageOf } from '../../../platform/http/page.ts';
import { notFound } from '../../../platform/errors.ts';
import { changeOnce, type Change } from '../../../platform/http/change.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { levelOf, levelPage, patchLevel, type LevelRow } from '../queries/levels.ts';
import { LevelPatch, LevelPath, LevelQuery, StockLevel, StockLevelList } from '../schema.ts';
import { changeByStaff } from '../service.ts';

const tag = 'Inventory';
const Cursor = z.tuple([z.uuid(), z.uuid()]);

async function show(c: AppContext, level: LevelRow) {
  await versionedEtag(c, level.version, level);
  return reply(c, StockLevel, level);
}

async function read(c: AppContext, path: z.output<typeof LevelPath>) {
  const [[level]] = await c.get('deps').db.read(levelOf(path.sku_id, path.location_id));
  if (!level) throw notFound('stock level', 'sku_id');
  return await show(c, level);
}

export const levelRoutes = new Hono<AppEnv>()
  .get(
    '/admin/inventory',
    operation({
      summary: 'Stock by SKU and location',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: StockLevelList },
    }),
    query(LevelQuery),
    async (c) => {
      const asked = c.req.valid('query');
      const [rows] = await c.get('deps').db.read(levelPage(asked, decodeCursor(asked.cursor, Cursor)));
      const page = pageOf(rows, asked.limit, { item: (row) => row, key: (row) => [row.sku_id, row.location_id] });
      return reply(c, StockLevelList, page);
    },
  )
  .get(
    '/admin/inventory/:sku_id/:location_id',
    operation({
      summary: 'Stock of a SKU at a location',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: StockLevel },
    }),
    params(LevelPath),
    (c) => read(c, c.req.valid('param')),
  )
  .patch(
    '/admin/inventory/:sku_id/:location_id',
    operation({
      summary: 'Set backorder limit, safety stock, threshold and expected arrival',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 200: StockLevel },
      errors: ['conflict'],
    }),
    params(LevelPath),
    body(LevelPatch),
    (c) => {
      const [path, patch] = [c.req.valid('param'), c.req.valid('json')];
      const resource = { type: 'stock_level', id: `${path.sku_id}/${path.location_id}` };
      const run = async (on: Change) => {
        const change = { ...on, actor: c.get('actor') };
        const details = { fields: Object.keys(patch) };
        const described = { action: 'stock_levels.update', resource, reason: 'limit_changed', details } as const;
        const readBack = levelOf(path.sku_id, path.location_id);
        return await show(
          c,
          await changeByStaff(c.get('deps'), change, described, patchLevel(path, patch, on.versions), readBack),
        );
      };
      return changeOnce(c, resource.id, run, () => read(c, path));
    },
  );
