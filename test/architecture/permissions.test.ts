import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { apiDocument } from '../../dev/docs/document.ts';
import { PERMISSIONS } from '../../src/domains/identity/permissions.ts';
import type { ApiDocument } from '../support/contract.ts';
import { roleFaults, roleLists, routeFaults } from './permissions.ts';

const BUILT_IN_ROLES = 5;
const FOLDER = path.resolve(import.meta.dirname, '../../migrations');
const migrations = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(path.join(FOLDER, name), 'utf8')]));

test('every route of staff asks for a permission of the closed list', () => {
  const document = apiDocument() as unknown as ApiDocument;
  expect(Object.keys(document.paths).filter((each) => each.includes('/admin/')).length).toBeGreaterThan(5);
  expect(routeFaults(document, PERMISSIONS)).toEqual([]);
});

test('built-in roles hold permissions of the closed list', () => {
  expect(roleLists(migrations)).toBeGreaterThanOrEqual(BUILT_IN_ROLES);
  expect(roleFaults(migrations, PERMISSIONS)).toEqual([]);
});

describe('a fault is found:', () => {
  const route = (method: string, where: string, details: object) =>
    routeFaults(
      { paths: { [where]: { [method]: { responses: { 428: {} }, ...details } } } } as unknown as ApiDocument,
      PERMISSIONS,
    );
  const admin = '/api/v1/admin/things';

  test.each([
    ['get', admin, { 'x-auth': 'optional' }, 'is for optional'],
    ['get', admin, { 'x-auth': 'person', 'x-permission': 'orders:read' }, 'is for person'],
    ['get', '/api/v1/orders', { 'x-auth': 'customer', 'x-permission': 'orders:read' }, 'names a permission'],
    ['get', admin, { 'x-auth': 'staff' }, 'names no permission'],
    ['get', '/api/v1/reports', { 'x-auth': 'staff' }, 'names no permission'],
    ['get', admin, { 'x-auth': 'staff', 'x-permission': 'things:read' }, 'not in the list'],
    ['get', admin, { 'x-auth': 'staff', 'x-permission': '*' }, 'not in the list'],
    ['get', admin, { 'x-auth': 'staff', 'x-permission': 'orders:write' }, 'reads with'],
    ['post', admin, { 'x-auth': 'staff', 'x-permission': 'orders:read' }, 'changes with'],
    ['patch', admin, { 'x-auth': 'staff', 'x-permission': 'orders:write', responses: {} }, 'without If-Match'],
  ])('%s %s %j', (method, where, details, fault) => {
    expect(route(method, where, details)).toEqual([expect.stringContaining(fault)]);
  });

  test.each([
    [`insert into roles (code, permissions) values ('x', '{orders:read,things:read}')`, ['m.sql gives things:read']],
    [
      `update roles set permissions = permissions || '{\n  things:write}' where code = 'x'`,
      ['m.sql gives things:write'],
    ],
    [`insert into roles (code, permissions) values ('x', '{*}'), ('y', '{}')`, []],
    [`insert into settings values ('{things:read}')`, []],
  ])('%s', (statement, faults) => {
    expect(roleFaults(new Map([['m.sql', `${statement};`]]), PERMISSIONS)).toEqual(faults);
  });
});
