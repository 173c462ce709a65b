import { Hono } from 'hono';
import * as z from 'zod';
import { notFound } from '../../../platform/errors.ts';
import { changeOnce, type Change } from '../../../platform/http/change.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { body, params } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { kitOf, replaceKit, type KitRow } from '../queries/kits.ts';
import { Kit, KitInput } from '../schema.ts';
import { changeByStaff } from '../service.ts';

const tag = 'Inventory';
const Path = z.object({ sku_id: uuid });

async function show(c: AppContext, kit: KitRow) {
  await versionedEtag(c, kit.version, kit);
  return reply(c, Kit, kit);
}

async function read(c: AppContext, skuId: string) {
  const [[kit]] = await c.get('deps').db.read(kitOf(skuId));
  if (!kit) throw notFound('SKU', 'sku_id');
  return await show(c, kit);
}

export const kitRoutes = new Hono<AppEnv>()
  .get(
    '/admin/kits/:sku_id',
    operation({
      summary: 'What a kit is made of',
      tag,
      auth: 'staff',
      permission: 'inventory:read',
      replies: { 200: Kit },
    }),
    params(Path),
    (c) => read(c, c.req.valid('param').sku_id),
  )
  .put(
    '/admin/kits/:sku_id',
    operation({
      summary: 'Make a SKU a kit of others, or no kit any more',
      tag,
      auth: 'staff',
      permission: 'inventory:write',
      replies: { 200: Kit },
      errors: ['conflict'],
    }),
    params(Path),
    body(KitInput),
    (c) => {
      const [{ sku_id }, input] = [c.req.valid('param'), c.req.valid('json')];
      const run = async (on: Change) => {
        const change = { ...on, actor: c.get('actor') };
        const resource = { type: 'kit', id: sku_id };
        const details = { components: input.components.map((component) => component.sku_id) };
        const described = { action: 'kits.replace', resource, details } as const;
        const statements = replaceKit(sku_id, input, on.versions);
        return await show(c, await changeByStaff(c.get('deps'), change, described, statements, kitOf(sku_id)));
      };
      return changeOnce(c, sku_id, run, () => read(c, sku_id));
    },
  );
