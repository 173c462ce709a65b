import { Hono } from 'hono';
import * as z from 'zod';
import { decodeCursor, pageOf } from '../../../platform/http/page.ts';
import { notFound } from '../../../platform/errors.ts';
import { changeOnce, createOnce, type Change } from '../../../platform/http/change.ts';
import { operation } from '../../../platform/http/operation.ts';
import { pageQuery } from '../../../platform/http/page.ts';
import { reply } from '../../../platform/http/reply.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { insertLocation, locationById, locationPage, patchLocation, type LocationRow } from '../queries/locations.ts';
import { LocationPatch, NewLocation, StockLocation, StockLocationList } from '../schema.ts';
import { changeByStaff } from '../service.ts';

const tag = 'Inventory';
const Path = z.object({ id: uuid });
const Cursor = z.tuple([z.int32(), z.uuid()]);

async function show(c: AppContext, location: LocationRow, status: 200 | 201 = 200) {
  await versionedEtag(c, location.version, location);
  return reply(c, StockLocation, location, status);
}

async function read(c: AppContext, id: string, status: 200 | 201 = 200) {
  const [[location]] = await c.get('deps').db.read(locationById(id));
  if (!location) throw notFound('stock location');
  return await show(c, location, status);
}

export const locationRoutes = new Hono<AppEnv>()
  .get(
    '/admin/stock-locations',
    operation({
      summary: 'Stock locations in the order in which they are allocated from',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: StockLocationList },
    }),
    query(z.strictObject(pageQuery)),
    async (c) => {
      const { limit, cursor } = c.req.valid('query');
      const [rows] = await c.get('deps').db.read(locationPage(decodeCursor(cursor, Cursor), limit));
      return reply(
        c,
        StockLocationList,
        pageOf(rows, limit, { item: (row) => row, key: (row) => [row.priority, row.id] }),
      );
    },
  )
  .post(
    '/admin/stock-locations',
    operation({
      summary: 'Open a stock location',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 201: StockLocation },
      errors: ['conflict'],
    }),
    body(NewLocation),
    (c) => {
      const run = async (on: Change) => {
        const { id } = on;
        const change = { ...on, actor: c.get('actor') };
        const described = { action: 'stock_locations.create', resource: { type: 'stock_location', id } } as const;
        const statements = [insertLocation(id, c.req.valid('json'))];
        return await show(c, await changeByStaff(c.get('deps'), change, described, statements, locationById(id)), 201);
      };
      return createOnce(c, run, (made) => read(c, made, 201));
    },
  )
  .get(
    '/admin/stock-locations/:id',
    operation({
      summary: 'One stock location',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: StockLocation },
    }),
    params(Path),
    (c) => read(c, c.req.valid('param').id),
  )
  .patch(
    '/admin/stock-locations/:id',
    operation({
      summary: 'Rename, reorder, or close a stock location',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 200: StockLocation },
    }),
    params(Path),
    body(LocationPatch),
    (c) => {
      const [{ id }, patch] = [c.req.valid('param'), c.req.valid('json')];
      const run = async (on: Change) => {
        const change = { ...on, actor: c.get('actor') };
        const resource = { type: 'stock_location', id };
        const described = {
          action: 'stock_locations.update',
          resource,
          details: { fields: Object.keys(patch) },
        } as const;
        const statements = patchLocation(id, patch, on.versions);
        return await show(c, await changeByStaff(c.get('deps'), change, described, statements, locationById(id)));
      };
      return changeOnce(c, id, run, () => read(c, id));
    },
  );
