import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PERMISSIONS } from '../../src/domains/identity/permissions.ts';
import { type ApiOperation, builtDocument } from '../support/contract.ts';
import { type Cast, type Session, startCast } from './cast.ts';
import { type BadCredential, badCredentials, type Kind, kindOf } from './credentials.ts';
import { matrixFaults } from './matrix.ts';
import { Caller, digest, readsCredential, type Target, targetsOf } from './operations.ts';
import { isOwnersOwn, makeRows, ownedNames, ownershipFaults, type Rows, type Stranger } from './rows.ts';

const document = builtDocument();
const targets = targetsOf(document);
const guarded = targets.filter(readsCredential);
const open = targets.filter((target) => !readsCredential(target));
const permissions = targets.flatMap(({ operation }) => operation['x-permission'] ?? []);

let cast: Cast;
let caller: Caller;
let credentials: BadCredential[];
let owner: Session;
let rows: Rows;
let strangers: Stranger[];
let before: Record<string, string>;

beforeAll(async () => {
  // Thousands of lines that nobody reads.
  cast = await startCast({ env: { LOG_LEVEL: 'fatal' } });
  const { rows: skus } = await cast.stack.owner.query('select id from skus order by code limit 1');
  owner = await cast.customer();
  const stranger = await cast.customer();
  rows = await makeRows(cast, owner);
  const ownRows = await makeRows(cast, stranger);
  caller = new Caller(cast.stack, document, [rows['carts'] ?? '', skus[0].id]);
  credentials = await badCredentials(cast, permissions);
  const staff = await cast.staff(['*']);
  strangers = [
    { name: 'another customer', token: stranger.token, rows: ownRows },
    { name: 'a guest', token: undefined },
    { name: 'staff', token: staff.token },
    { name: 'a key', token: await cast.key(staff.accountId, PERMISSIONS) },
  ];
});
beforeEach(async () => {
  before = await digest(cast.stack);
});
afterAll(() => cast.stack.close());

const nothingWritten = async () => expect(await digest(cast.stack)).toEqual(before);

describe('every bad credential', () => {
  test.each(guarded)('is refused by $name, and writes nothing', async (target) => {
    expect(await matrixFaults(cast.stack, caller, target, credentials)).toEqual([]);
    await nothingWritten();
  });

  test.each(open.filter(({ verb }) => verb === 'get'))('changes nothing at $name, which is open', async (target) => {
    const garbage = await caller.send(target, 'garbage');
    expect(garbage.status).toBe((await caller.send(target, undefined)).status);
  });
});

const mayBeOwned = guarded.filter(
  ({ path, operation }) => path.includes('{') && ['optional', 'customer', 'person'].includes(operation['x-auth']),
);

describe("somebody else's row looks like none", () => {
  test.each(mayBeOwned)('at $name', async (target) => {
    const admitted = strangers.filter(
      ({ name }) => target.operation['x-auth'] === 'optional' || name === 'another customer',
    );
    if (ownedNames(target).length === 0) return;
    expect(await ownershipFaults(caller, target, { strangers: admitted, rows })).toEqual([]);
    await nothingWritten();
  });
});

describe('a good credential', () => {
  const tokensOf = async ({ operation }: Target): Promise<[who: string, token: string][]> => {
    const { 'x-auth': auth, 'x-permission': permission = '' } = operation;
    if (auth === 'metrics') return [['the token of metrics', cast.secrets.metrics]];
    const { token } = await cast.customer();
    if (auth !== 'staff') return [['a customer', token]];
    const staff = await cast.staff([permission]);
    const alone: [string, string] = ['staff with this permission alone', staff.token];
    if (kindOf(operation) === 'people') return [alone];
    return [alone, ['a key with this permission alone', await cast.key(staff.accountId, [permission])]];
  };
  const REFUSAL = /"code":"(forbidden|unauthenticated)".*"param":"Authorization"|totp_enrollment_required|"status":5/;
  // What a webhook says is believed for its signature.
  const admitting = guarded.filter(({ path }) => !path.includes('/webhooks/'));

  test.each(admitting)('opens $name', async (target) => {
    const answers = await Promise.all(
      (await tokensOf(target)).map(async ([who, token]) => [who, await caller.send(target, token)] as const),
    );
    for (const [who, { text }] of answers) expect(text, who).not.toMatch(REFUSAL);
  });

  test.each(mayBeOwned.filter((target) => ownedNames(target).length > 0))(
    'of the owner opens $name',
    async (target) => {
      const session = await cast.customer();
      const own = await makeRows(cast, session);
      expect(await isOwnersOwn(caller, target, session.token, own)).toBe(true);
    },
  );
});

/** Whoever adds to these has asked who else might call it. */
const OPEN_CHANGES = [
  'deleteCartsByIdDiscountCodesByCode',
  'deleteCartsByIdItemsByItemId',
  'patchCartsById',
  'patchCartsByIdItemsByItemId',
  'postAuthEmailVerify',
  'postAuthLogin',
  'postAuthLogout',
  'postAuthOidcByProviderComplete',
  'postAuthOidcByProviderStart',
  'postAuthPasswordForgot',
  'postAuthPasswordReset',
  'postAuthRefresh',
  'postAuthRegister',
  'postAuthTotpRecovery',
  'postCarts',
  'postCartsByIdDiscountCodes',
  'postCartsByIdItems',
  'postOrders',
  'postOrdersByIdCancel',
  'postOrdersLookup',
  'postWebhooksPaymentsByProvider',
];

describe('the document', () => {
  test('lets everybody change what is listed here, and nothing else', () => {
    const changing = targets.filter(
      ({ verb, operation }) => verb !== 'get' && ['none', 'optional'].includes(operation['x-auth']),
    );
    const ids = changing.map(({ operation }) => operation.operationId);
    expect(ids.toSorted((a, b) => a.localeCompare(b))).toEqual(OPEN_CHANGES);
  });

  test('has a permission of the closed list for every route of staff, and every admin route is of staff', () => {
    for (const { name, path, operation } of targets) {
      const isStaff = operation['x-auth'] === 'staff';
      if (path.startsWith('/api/v1/admin')) expect([name, isStaff]).toEqual([name, true]);
      if (isStaff) expect(PERMISSIONS, name).toContain(operation['x-permission']);
      else expect([name, operation['x-permission']]).toEqual([name, undefined]);
    }
  });

  test('wants a token wherever not everybody may call', () => {
    for (const { name, operation } of targets) {
      const isOpen = ['none', 'optional'].includes(operation['x-auth']);
      const wantsToken = operation.security.length > 0 && operation.security.every((scheme) => 'bearer' in scheme);
      expect([name, wantsToken]).toEqual([name, !isOpen]);
    }
  });
});

describe('the matrix itself fails', () => {
  const fake = (verb: string, path: string, changes: Partial<ApiOperation>): Target => {
    const operation = document.paths[path]?.[verb];
    if (operation === undefined) throw new Error(`${verb} ${path} is gone`);
    return { name: 'fake', verb, path, operation: { ...operation, ...changes } };
  };
  const named = (faults: string[]) => faults.map((fault) => fault.split(': ')[0]);
  const expected = (kind: Kind) =>
    credentials.filter(({ refusals }) => refusals[kind] !== undefined).map(({ name }) => name);

  test.each(['optional', 'customer', 'person', 'staff', 'people', 'metrics'] as const)(
    'by each of its lines when a route of kind %s checks nothing',
    async (kind) => {
      const claimed: Partial<ApiOperation> =
        kind === 'people' ? { 'x-auth': 'staff', 'x-api-keys': 'refused' } : { 'x-auth': kind };
      const target = fake('get', '/health', { ...claimed, 'x-permission': 'users:read' });
      const faults = await matrixFaults(cast.stack, caller, target, credentials);
      expect(new Set(named(faults))).toEqual(new Set(expected(kind)));
    },
  );

  test('where a route of staff asks for no permission, of customers lets in staff, or of people lets in keys', async () => {
    const asked = async (auth: ApiOperation['x-auth']) =>
      named(await matrixFaults(cast.stack, caller, fake('get', '/api/v1/markets', { 'x-auth': auth }), credentials));
    expect(await asked('staff')).toEqual(
      expect.arrayContaining([
        'no token',
        'a customer',
        'staff without the permission',
        'a key without the permission',
      ]),
    );
    expect(await asked('customer')).toEqual(expect.arrayContaining(['no token', 'an owner']));
    expect(await asked('person')).toEqual(expect.arrayContaining(['a key without the permission']));
  });

  test('where a refused request writes', async () => {
    const target = fake('post', '/api/v1/customers/me/addresses', { 'x-auth': 'staff' });
    await matrixFaults(cast.stack, caller, target, credentials);
    expect(await digest(cast.stack)).not.toEqual(before);
  });

  test("where a stranger reads somebody's row", async () => {
    const target = fake('get', '/api/v1/orders/{id}', {});
    const [one] = await ownershipFaults(caller, target, { strangers: [{ name: 'owner', token: owner.token }], rows });
    expect(one).toContain('owner, id 1: 200 instead of 404');
  });

  test('where a path names an id of which it knows no row', () => {
    const target = fake('get', '/api/v1/orders/{id}', {});
    expect(() => ownedNames({ ...target, path: '/api/v1/parcels/{id}' })).toThrow('no row for id,parcels');
  });
});
