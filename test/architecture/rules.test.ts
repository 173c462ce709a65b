import { describe, expect, test } from 'vitest';
import { rules, violations } from './violations.ts';

// One bad example or more for each rule: a rule that none of them breaks could not fail.
const BAD: Record<string, Record<string, string>[]> = {
  'platform imports nothing above it': [
    { 'src/platform/http/reply.ts': `import { price } from '../../domains/pricing/index.ts';` },
    { 'src/platform/http/reply.ts': `export { price } from '../../domains/pricing/index.ts';` },
    { 'src/platform/http/reply.ts': `import { createDeps } from '../../deps.ts';` },
    { 'src/platform/http/reply.ts': `import type { Cart } from '../../domains/cart/index.ts';` },
    { 'src/platform/http/reply.ts': `const late = await import('../../domains/pricing/index.ts');` },
  ],
  'platform speaks no commerce': [
    { 'src/platform/cart-lock.ts': '' },
    { 'src/platform/orders/index.ts': '' },
    { 'src/platform/lock.ts': 'export function lockProduct() {}' },
    { 'src/platform/lock.ts': 'export type SkuCode = string;' },
    { 'src/platform/lock.ts': 'const a = 1; export { a as ORDER_TTL };' },
  ],
  'a domain is in the rank order and imports only to its left': [
    { 'src/domains/pricing/service.ts': `import { read } from '../cart/index.ts';` },
    { 'src/domains/loyalty/service.ts': `import { sum } from '../../platform/money.ts';` },
    { 'src/domains/pricing/service.ts': `import { read } from '../loyalty/index.ts';` },
    { 'src/domains/pricing/service.ts': `import { createApp } from '../../app.ts';` },
    { 'src/domains/pricing/rules/tax.ts': `export * from '../../orders/index.ts';` },
  ],
  'a domain is imported through its index.ts': [
    { 'src/domains/cart/service.ts': `import { price } from '../pricing/rules.ts';` },
    { 'src/domains/cart/service.ts': `import type { Row } from '../pricing/queries.ts';` },
    { 'src/app.ts': `import { routes } from './domains/cart/routes.ts';` },
  ],
  'rules.ts imports no I/O': [
    { 'src/domains/cart/rules.ts': `import { read } from '../../platform/db/db.ts';` },
    { 'src/domains/cart/rules.ts': `import { systemClock } from '../../platform/clock.ts';` },
    { 'src/domains/cart/rules.ts': `import { createHash } from 'node:crypto';` },
    { 'src/domains/cart/rules/totals.ts': `import { rows } from '../queries.ts';` },
    { 'src/domains/cart/rules.ts': `import { Redis } from '@upstash/redis';` },
  ],
  'routes hold no SQL': [
    { 'src/domains/cart/routes.ts': `import { nothing } from '../../platform/db/sql.ts';` },
    { 'src/domains/cart/admin-routes.ts': `import * as db from '../../platform/db/db.ts';` },
    { 'src/domains/cart/routes/items.ts': `import { sql } from '../../../platform/db/sql.ts';` },
  ],
  'SQL is written in queries and statements only': [
    { 'src/domains/cart/service.ts': `import { sql } from '../../platform/db/sql.ts';` },
    { 'src/domains/cart/service.ts': 'const one = sql`select 1`;' },
    { 'src/domains/cart/service.ts': 'const all = `select id from carts where id = ${id}`;' },
    { 'src/domains/cart/service.ts': `const gone = 'delete from carts where true';` },
    { 'src/deps.ts': `import * as tag from './platform/db/sql.ts';` },
  ],
  'time and chance come from clock.ts and id.ts': [
    { 'src/app.ts': 'const now = Date.now();' },
    { 'src/app.ts': 'const now = new Date();' },
    { 'src/app.ts': 'const now = Date();' },
    { 'src/app.ts': 'const now = globalThis.Date.now();' },
    { 'src/app.ts': 'const clock = Date.now;' },
    { 'src/app.ts': 'const dice = Math.random();' },
    { 'src/app.ts': 'const id = crypto.randomUUID();' },
    { 'src/app.ts': `import { randomUUID } from 'node:crypto';` },
  ],
  'rules.ts decides from its input alone': [
    { 'src/domains/cart/rules.ts': `const reply = await fetch('https://example.com');` },
    { 'src/domains/cart/rules.ts': 'const bytes = crypto.getRandomValues(new Uint8Array(1));' },
    { 'src/domains/cart/rules/totals.ts': 'setTimeout(() => {}, 1);' },
  ],
  'only log.ts writes to the console': [{ 'src/app.ts': `console.log('hello');` }],
  'zod is imported as a namespace': [
    { 'src/app.ts': `import { z } from 'zod';` },
    { 'src/app.ts': `import z from 'zod';` },
    { 'dev/seed/index.ts': `import { object } from 'zod/v4';` },
  ],
  'a relative import names its file in full': [{ 'src/app.ts': `import { deps } from './deps';` }],
  'a file has at most 300 lines': [{ 'dev/long.ts': '\n'.repeat(301) }, { 'src/long.ts': `${'\n'.repeat(300)}// end` }],
  'nothing is left for later': [{ 'src/app.ts': '// TODO: the rest' }, { 'test/app.test.ts': '/* FIXME */' }],
  'the top level holds only what is expected there': [{ 'vitest.config.ts': '' }, { 'docs/index.md': '' }],
  'every migration has its way back': [
    { 'migrations/20261122090000_create_carts.sql': '' },
    { 'migrations/20261122090000_create_carts.down.sql': '' },
    { 'migrations/1_create_carts.sql': '', 'migrations/1_create_carts.down.sql': '' },
    { 'migrations/notes.md': '' },
    {
      'migrations/20261122090000_create_carts.sql': '',
      'migrations/20261122090000_create_carts.down.sql': '',
      'migrations/20261122090000_create_orders.sql': '',
      'migrations/20261122090000_create_orders.down.sql': '',
    },
  ],
};

const GOOD: Record<string, string> = {
  'README.md': '',
  'src/index.ts': `import { createApp } from './app.ts';`,
  'src/app.ts': `import { routes } from './domains/cart/index.ts'; import type { ZodType } from 'zod';`,
  'src/platform/http/context.ts': `import type { Deps } from '../../deps.ts';`,
  'src/platform/clock.ts': 'export const now = () => new Date();',
  'src/platform/id.ts': 'export const uuid = () => crypto.randomUUID();',
  'src/platform/telemetry/log.ts': 'console.log(1);',
  'src/platform/db/sql.ts': 'export function sql() {} export const orderBy = sql`order by id`;',
  'src/domains/cart/index.ts': `export { routes } from './routes.ts';`,
  'src/domains/cart/routes.ts': `import { readCart } from './service.ts'; import type { Sql } from '../../platform/db/sql.ts';`,
  'src/domains/cart/service.ts': `import { cartById } from './queries.ts'; const at = new Date(now); const label = 'Select a cart';`,
  'src/domains/cart/queries.ts': `import { sql } from '../../platform/db/sql.ts'; export const cartById = sql\`select id from carts\`;`,
  'src/domains/cart/statements/add-item.ts': `import { sql } from '../../../platform/db/sql.ts';`,
  'src/domains/cart/rules.ts': `import { sum } from '../../platform/money.ts'; import { price } from '../pricing/index.ts';
    import type { Clock } from '../../platform/clock.ts'; export const parse = (time: string) => new Date(time);`,
  'src/domains/cart/schema.ts': `import * as z from 'zod';`,
  'migrations/20261122090000_create_carts.sql': '',
  'migrations/20261122090000_create_carts.down.sql': '',
};

describe('every rule can fail', () => {
  test('each has a bad example', () => {
    expect(Object.keys(BAD)).toEqual(rules.map((rule) => rule.name));
  });

  const examples = Object.entries(BAD).flatMap(([rule, all]) => all.map((files) => ({ rule, files })));
  test.each(examples)('$rule: $files', ({ rule, files }) => {
    const broken = violations(new Map(Object.entries(files)));
    expect(broken.filter((violation) => violation.endsWith(`[${rule}]`))).not.toEqual([]);
  });
});

describe('what is allowed passes', () => {
  test('a small project', () => {
    expect(violations(new Map(Object.entries(GOOD)))).toEqual([]);
  });

  test('a break is named by file, line and rule', () => {
    const files = new Map([['src/app.ts', `\nimport { deps } from './deps.ts';\nconst now = Date.now();\n`]]);
    expect(violations(files)).toEqual(['src/app.ts:3 uses Date.now [time and chance come from clock.ts and id.ts]']);
  });

  test('a file that does not parse is an error, not a pass', () => {
    expect(() => violations(new Map([['src/app.ts', 'import {']]))).toThrow(SyntaxError);
  });
});
