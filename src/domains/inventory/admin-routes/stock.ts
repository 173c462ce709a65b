import { Hono } from 'hono';
import * as z from 'zod';
import { notFound } from '../../../platform/errors.ts';
import { decodeCursor, pageOf } from '../../../platform/http/page.ts';
import { once, type Claim } from '../../../platform/http/idempotency.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { body, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import {
  adjustedLevel,
  adjustLevel,
  ensureLevel,
  levelOf,
  movementPage,
  requireLocation,
  requireStocked,
  transferUnits,
  type AdjustedRow,
} from '../queries/levels.ts';
import { AdjustedLevel, Adjustment, MovementQuery, StockMovementList, Transfer, Transferred } from '../schema.ts';
import { changeByStaff, locationOf } from '../service.ts';

const tag = 'Inventory';
const Cursor = z.tuple([z.string().regex(/^\d{1,15}$/)]);

function showAdjusted(c: AppContext, { short_orders, ...level }: AdjustedRow) {
  return reply(c, AdjustedLevel, { level, short_orders }, 201);
}

function adjust(c: AppContext, input: Adjustment) {
  const { sku_id, location_id, reason } = input;
  const deps = c.get('deps');
  const run = async (claim: Claim | null) => {
    const change = { actor: c.get('actor'), claim, requestId: c.get('record').requestId };
    const locationId = await locationOf(deps, location_id);
    const resource = { type: 'stock_level', id: `${sku_id}/${locationId ?? ''}` };
    const statements = [
      requireStocked(sku_id),
      requireLocation(locationId),
      ensureLevel(sku_id, locationId),
      adjustLevel(input, locationId),
    ];
    const details = input.set === undefined ? { delta: input.delta ?? 0, reason } : { set: input.set, reason };
    const described = { action: 'stock_levels.adjust', resource, reason, details } as const;
    return showAdjusted(c, await changeByStaff(deps, change, described, statements, adjustedLevel(sku_id, locationId)));
  };
  const current = async (resourceId: string) => {
    const locationId = await locationOf(deps, resourceId.split('/')[1]);
    const [[row]] = await deps.db.read(adjustedLevel(sku_id, locationId));
    if (!row) throw notFound('stock level', 'sku_id');
    return showAdjusted(c, row);
  };
  return once(c, run, current);
}

function transfer(c: AppContext, input: Transfer) {
  const { sku_id, from_location_id, to_location_id } = input;
  const levels = [levelOf(sku_id, from_location_id), levelOf(sku_id, to_location_id)] as const;
  const show = async () => {
    const [[from], [to]] = await c.get('deps').db.read(...levels);
    if (!from || !to) throw notFound('stock level', 'sku_id');
    return reply(c, Transferred, { from, to }, 201);
  };
  const run = async (claim: Claim | null) => {
    const change = { actor: c.get('actor'), claim, requestId: c.get('record').requestId };
    const resource = { type: 'stock_level', id: sku_id };
    const details = { quantity: input.quantity, from_location_id, to_location_id };
    const described = { action: 'stock_levels.transfer', resource, reason: 'transfer', details } as const;
    const statements = [
      requireStocked(sku_id),
      requireLocation(from_location_id, 'from_location_id'),
      requireLocation(to_location_id, 'to_location_id'),
      ensureLevel(sku_id, to_location_id),
      ...transferUnits(input),
    ];
    await changeByStaff(c.get('deps'), change, described, statements, levels[1]);
    return await show();
  };
  return once(c, run, show);
}

export const stockRoutes = new Hono<AppEnv>()
  .post(
    '/admin/inventory/adjustments',
    operation({
      summary: 'Count stock, or add and take units',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 201: AdjustedLevel },
      errors: ['not_found', 'conflict'],
    }),
    body(Adjustment),
    (c) => adjust(c, c.req.valid('json')),
  )
  .post(
    '/admin/inventory/transfers',
    operation({
      summary: 'Move free units from one location to another',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 201: Transferred },
      errors: ['not_found', 'conflict', 'insufficient_stock'],
    }),
    body(Transfer),
    (c) => transfer(c, c.req.valid('json')),
  )
  .get(
    '/admin/inventory/movements',
    operation({
      summary: 'The ledger of stock, newest first',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: StockMovementList },
    }),
    query(MovementQuery),
    async (c) => {
      const asked = c.req.valid('query');
      const before = decodeCursor(asked.cursor, Cursor);
      const [rows] = await c.get('deps').db.read(movementPage(asked, before?.[0] ?? null));
      return reply(
        c,
        StockMovementList,
        pageOf(rows, asked.limit, { item: (row) => row, key: (row) => [String(row.id)] }),
      );
    },
  );
