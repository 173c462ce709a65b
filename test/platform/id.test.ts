import { expect, test } from 'vitest';
import { createIds } from '../../src/platform/id.ts';

const at = (iso: string) => createIds({ now: () => new Date(iso) });

test('10,000 ids of one millisecond are UUIDv7, distinct and in the order of their making', () => {
  const ids = at('2026-11-22T10:00:00Z');
  const made = Array.from({ length: 10_000 }, () => ids.uuid());
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(made.length);
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('capabilities are 22 base64url characters, secrets 43, order numbers carry the day', () => {
  const ids = at('2026-11-22T10:00:00Z');
  expect(ids.capability()).toMatch(/^[\w-]{22}$/);
  expect(ids.secret()).toMatch(/^[\w-]{43}$/);
  expect(ids.orderNumber()).toMatch(/^261122-[0-9A-HJKMNP-TV-Z]{8}$/);
});
