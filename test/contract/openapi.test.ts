import { Validator } from '@seriousme/openapi-schema-validator';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { apiDocument } from '../../dev/docs/document.ts';
import type { AppEnv } from '../../src/platform/http/context.ts';
import { buildOpenApi } from '../../src/platform/http/openapi.ts';
import { operation } from '../../src/platform/http/operation.ts';
import { body, params, query } from '../../src/platform/http/validate.ts';
import { builtDocument } from '../support/contract.ts';

const INFO = { title: 'Test', version: '1.0.0', description: 'Test.' };
const Thing = z.object({ id: z.string() }).meta({ id: 'Thing' });
const thing = () => operation({ summary: 'A thing', tag: 'Things', auth: 'none', replies: { 200: Thing } });

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(apiDocument()));
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('the build wrote this very document', () => {
  expect(builtDocument()).toEqual(apiDocument());
});

test('operation ids are unique', () => {
  const ids = Object.values(builtDocument().paths).flatMap((item) =>
    Object.values(item).map((each) => each.operationId),
  );
  expect(ids.length).toBeGreaterThan(20);
  expect(new Set(ids).size).toBe(ids.length);
});

test('every local reference leads somewhere, and every component is used', () => {
  const text = JSON.stringify(builtDocument());
  const used = new Set([...text.matchAll(/"\$ref":"#\/components\/([^"]+)"/g)].map(([, name]) => name));
  const known = Object.entries(builtDocument().components)
    .filter(([kind]) => kind !== 'securitySchemes')
    .flatMap(([kind, components]) => Object.keys(components).map((name) => `${kind}/${name}`));
  expect(used).toEqual(new Set(known));
});

test('a route without operation() is refused, by name', () => {
  const app = new Hono<AppEnv>().get('/things', thing(), (c) => c.text('')).post('/bare', (c) => c.text(''));
  expect(() => buildOpenApi(app.routes, INFO)).toThrow('POST /bare has no operation()');
});

test('a route that is described twice is refused', () => {
  const app = new Hono<AppEnv>().get('/things', thing(), thing(), (c) => c.text(''));
  expect(() => buildOpenApi(app.routes, INFO)).toThrow('GET /things is described more than once');
});

test('two schemas of one id that differ are refused', () => {
  const other = z.object({ id: z.int() }).meta({ id: 'Thing' });
  const app = new Hono<AppEnv>()
    .get('/things', thing(), (c) => c.text(''))
    .get('/others', operation({ summary: 'Other', tag: 'Things', auth: 'none', replies: { 200: other } }), (c) =>
      c.text(''),
    );
  expect(() => buildOpenApi(app.routes, INFO)).toThrow('Thing');
});

test('what validators take and what the path names become parameters and the body', () => {
  const Address = z.strictObject({ city: z.string().default('Rome') }).meta({ id: 'Place' });
  const app = new Hono<AppEnv>().put(
    '/things/:id/parts/:part_id',
    operation({ summary: 'Put', tag: 'Things', auth: 'customer', replies: { 200: Address, 204: null } }),
    params(z.object({ id: z.uuid(), part_id: z.string() })),
    query(z.strictObject({ depth: z.coerce.number().int(), deep: z.enum(['true']).optional() })),
    body(Address),
    (c) => c.text(''),
  );
  const { paths, components } = buildOpenApi(app.routes, INFO) as unknown as ReturnType<typeof builtDocument>;
  const put = paths['/things/{id}/parts/{part_id}']!['put']!;
  expect(put.operationId).toBe('putThingsByIdPartsByPartId');
  expect(put.security).toEqual([{ bearer: [] }]);
  expect(put.parameters.filter((each) => 'name' in each)).toEqual([
    { name: 'id', in: 'path', required: true, schema: expect.objectContaining({ format: 'uuid' }) },
    { name: 'part_id', in: 'path', required: true, schema: { type: 'string' } },
    { name: 'depth', in: 'query', required: true, schema: expect.objectContaining({ type: 'integer' }) },
    { name: 'deep', in: 'query', schema: { type: 'string', enum: ['true'] } },
  ]);
  expect(put.requestBody?.content['application/json']?.schema).toEqual({ $ref: '#/components/schemas/PlaceInput' });
  expect(components['schemas']!['Place']).toMatchObject({ required: ['city'] });
  expect(components['schemas']!['PlaceInput']).not.toHaveProperty('required');
  expect(Object.keys(put.responses)).toEqual([
    '200',
    '204',
    '401',
    '403',
    '404',
    '409',
    '415',
    '422',
    '431',
    '500',
    '503',
  ]);
});
