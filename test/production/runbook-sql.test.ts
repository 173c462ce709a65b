import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { asRole, createDatabase, dropDatabase, OWNER_ROLE } from '../../dev/roles.ts';
import { blocks } from '../observability/runbook.ts';

const DATABASE = `runbook_${process.pid}`;

let owner: pg.Client;
beforeAll(async () => {
  const { superuserUrl, template, ownerPassword } = inject('shared');
  await createDatabase(superuserUrl, DATABASE, template);
  owner = new pg.Client({ connectionString: asRole(superuserUrl, OWNER_ROLE, ownerPassword, DATABASE) });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await dropDatabase(inject('shared').superuserUrl, DATABASE);
});

test.each(blocks('sql'))('$file: $block', async ({ block }) => {
  await owner.query('begin');
  try {
    await expect(owner.query(block)).resolves.toBeDefined();
  } finally {
    await owner.query('rollback');
  }
});
