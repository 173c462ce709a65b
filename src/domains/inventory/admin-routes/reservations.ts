import { Hono } from 'hono';
import * as z from 'zod';
import { subjectOf } from '../../../platform/auth/actor.ts';
import { decodeCursor, pageOf } from '../../../platform/http/page.ts';
import { AppError, notFound } from '../../../platform/errors.ts';
import { changeOnce, createOnce, type Change } from '../../../platform/http/change.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import {
  holdIsGone,
  insertHold,
  requireHold,
  reservationById,
  reservationPage,
  type ReservationRow,
} from '../queries/holds.ts';
import { requireLocation, requireStocked } from '../queries/levels.ts';
import { releaseHold, releaseOverdueOf } from '../queries/release.ts';
import { becauseOf, lockLevels } from '../queries/reserve.ts';
import { NewHold, Reservation, ReservationList, ReservationQuery } from '../schema.ts';
import { changeByStaff } from '../service.ts';

const tag = 'Inventory';
const Path = z.object({ id: uuid });
/** A reservation is made and ended, never changed by hand. */
const VERSION = 1;

async function show(c: AppContext, reservation: ReservationRow, status: 200 | 201 = 200) {
  await versionedEtag(c, VERSION, reservation);
  return reply(c, Reservation, reservation, status);
}

async function read(c: AppContext, id: string, status: 200 | 201 = 200) {
  const [[reservation]] = await c.get('deps').db.read(reservationById(id));
  if (!reservation) throw notFound('reservation');
  return await show(c, reservation, status);
}

function hold(c: AppContext, input: NewHold) {
  const { sku_id, quantity } = input;
  const run = async (on: Change) => {
    const { id } = on;
    const change = { ...on, actor: c.get('actor') };
    const resource = { type: 'reservation', id };
    const described = { action: 'reservations.create', resource, details: { sku_id, quantity } } as const;
    const statements = [
      requireStocked(sku_id),
      ...(input.location_id === undefined ? [] : [requireLocation(input.location_id)]),
      lockLevels([{ sku_id, quantity }]),
      becauseOf('hold_expired'),
      releaseOverdueOf([{ sku_id, quantity }]),
      becauseOf('hold', id, subjectOf(change.actor)),
      insertHold(id, input),
    ];
    return await show(c, await changeByStaff(c.get('deps'), change, described, statements, reservationById(id)), 201);
  };
  return createOnce(c, run, (made) => read(c, made, 201));
}

function letGo(c: AppContext, id: string) {
  const run = async (on: Change) => {
    if (on.versions !== null && !on.versions.includes(VERSION)) {
      throw new AppError('precondition_failed', 'The reservation is another one.', { param: 'If-Match' });
    }
    const change = { ...on, actor: c.get('actor') };
    const resource = { type: 'reservation', id };
    const described = { action: 'reservations.delete', resource, reason: 'hold_released' } as const;
    await changeByStaff(c.get('deps'), change, described, [requireHold(id), releaseHold(id)], holdIsGone(id));
    return c.body(null, 204);
  };
  return changeOnce(c, id, run, () => Promise.resolve(c.body(null, 204)));
}

export const reservationRoutes = new Hono<AppEnv>()
  .get(
    '/admin/reservations',
    operation({
      summary: 'Units promised to orders or held by hand',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: ReservationList },
    }),
    query(ReservationQuery),
    async (c) => {
      const asked = c.req.valid('query');
      const after = decodeCursor(asked.cursor, z.tuple([z.uuid()]));
      const [rows] = await c.get('deps').db.read(reservationPage(asked, after?.[0] ?? null));
      return reply(c, ReservationList, pageOf(rows, asked.limit, { item: (row) => row, key: (row) => [row.id] }));
    },
  )
  .post(
    '/admin/reservations',
    operation({
      summary: 'Hold units for a while',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 201: Reservation },
      errors: ['not_found', 'conflict', 'insufficient_stock'],
    }),
    body(NewHold),
    (c) => hold(c, c.req.valid('json')),
  )
  .get(
    '/admin/reservations/:id',
    operation({
      summary: 'One reservation',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: Reservation },
    }),
    params(Path),
    (c) => read(c, c.req.valid('param').id),
  )
  .delete(
    '/admin/reservations/:id',
    operation({
      summary: 'Let go of units that are held by hand',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 204: null },
      errors: ['conflict'],
    }),
    params(Path),
    (c) => letGo(c, c.req.valid('param').id),
  );
