import { neon } from '@neondatabase/serverless';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { neonError, type NeonFixture, post, startNeonFixture } from './neon-fixture.ts';

let fixture: NeonFixture;
beforeAll(async () => {
  fixture = await startNeonFixture();
  await fixture.direct.query(`
    create table people (id int primary key, email text not null constraint people_email_key unique, age int constraint people_age_check check (age >= 0));
    create function refuse(code text, detail jsonb) returns void language plpgsql as $$
      begin raise exception using errcode = 'EC001', message = code, detail = detail::text, hint = 'a hint'; end $$;
  `);
});
afterAll(() => fixture.close());

describe('values', () => {
  test('every type makes the round trip through the client that it makes through Postgres itself', async () => {
    const { sql } = fixture;
    const [row] = await sql`select
      ${1}::int as int4, ${'9007199254740993'}::int8 as int8, ${'12.340'}::numeric as amount, ${1.5}::float8 as float8,
      ${true}::bool as yes, ${'naïve 🛒 "q" \\ \n'}::text as words, ${''}::text as empty, ${null}::text as nothing,
      ${{ a: [1, { b: null }] }}::jsonb as document, ${'2026-01-02T03:04:05.678Z'}::timestamptz as moment,
      ${[1, 2, 3]}::int[] as numbers, ${['a', 'b,c', '"', null]}::text[] as texts,
      ${Buffer.from([0, 255, 10, 92])}::bytea as bytes, ${'0192f0a4-7b1c-7000-8000-000000000001'}::uuid as id`;
    expect(row).toEqual({
      int4: 1,
      int8: '9007199254740993',
      amount: '12.340',
      float8: 1.5,
      yes: true,
      words: 'naïve 🛒 "q" \\ \n',
      empty: '',
      nothing: null,
      document: { a: [1, { b: null }] },
      moment: new Date('2026-01-02T03:04:05.678Z'),
      numbers: [1, 2, 3],
      texts: ['a', 'b,c', '"', null],
      bytes: Buffer.from([0, 255, 10, 92]),
      id: '0192f0a4-7b1c-7000-8000-000000000001',
    });
  });

  test('the wire carries Postgres text, null and the type of each column', async () => {
    const query = `select 1::int4 as a, 2::int8 as b, true as c, '{"x": 1}'::jsonb as d, '\\xff00'::bytea as e,
      array[1,2] as f, '2026-01-02 03:04:05+00'::timestamptz as g, null::text as h`;
    const reply = await post(fixture, JSON.stringify({ query, params: [] }));
    expect(reply.status).toBe(200);
    const body = (await reply.json()) as { rows: unknown[]; fields: { name: string; dataTypeID: number }[] };
    expect(body).toMatchObject({ command: 'SELECT', rowCount: 1, rowAsArray: true });
    expect(body.rows).toEqual([['1', '2', 't', '{"x": 1}', '\\xff00', '{1,2}', '2026-01-02 03:04:05+00', null]]);
    expect(body.fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
      ['a', 23],
      ['b', 20],
      ['c', 16],
      ['d', 3802],
      ['e', 17],
      ['f', 1007],
      ['g', 1184],
      ['h', 25],
    ]);
  });

  test('without array mode rows are objects', async () => {
    const reply = await post(fixture, '{"query":"select 1 as a"}', { 'Neon-Array-Mode': 'false' });
    expect(await reply.json()).toMatchObject({ rows: [{ a: '1' }], rowAsArray: false });
  });

  test('array mode keeps columns that share a name apart', async () => {
    expect(await fixture.sql.query('select 1 as a, 2 as a', [], { arrayMode: true })).toEqual([[1, 2]]);
  });

  test('full results carry command, row count and fields', async () => {
    const sql = neon(fixture.connectionString, { fullResults: true });
    const made = await sql`insert into people values (1, 'one@example.com'), (2, 'two@example.com')`;
    expect(made).toMatchObject({ command: 'INSERT', rowCount: 2, rows: [], fields: [] });
    const none = await sql`select id from people where false`;
    expect(none).toMatchObject({ command: 'SELECT', rowCount: 0, rows: [] });
    expect(none.fields).toMatchObject([{ name: 'id', dataTypeID: 23, dataTypeModifier: -1, format: 'text' }]);
  });

  test('a large result arrives whole', async () => {
    const rows = await fixture.sql`select n, repeat('x', 100) as pad from generate_series(1, 20000) n`;
    expect(rows).toHaveLength(20_000);
    expect(rows.at(-1)).toEqual({ n: 20_000, pad: 'x'.repeat(100) });
  });
});

describe('errors', () => {
  test('a unique violation carries code, constraint, table and detail', async () => {
    const { sql } = fixture;
    await sql`insert into people values (10, 'taken@example.com')`;
    const error = await neonError(sql`insert into people values (11, 'taken@example.com')`);
    expect(error).toMatchObject({
      severity: 'ERROR',
      code: '23505',
      schema: 'public',
      table: 'people',
      constraint: 'people_email_key',
      detail: 'Key (email)=(taken@example.com) already exists.',
      routine: '_bt_check_unique',
    });
    expect(error.message).toContain('people_email_key');
  });

  test('a check and a not-null violation name constraint and column', async () => {
    const { sql } = fixture;
    const check = await neonError(sql`insert into people values (12, 'a@example.com', -1)`);
    expect(check).toMatchObject({ code: '23514', constraint: 'people_age_check' });
    const missing = await neonError(sql`insert into people values (13, null)`);
    expect(missing).toMatchObject({ code: '23502', column: 'email', table: 'people' });
  });

  test('our own SQLSTATE arrives with its message, detail, hint and where it was raised', async () => {
    const error = await neonError(fixture.sql`select refuse('insufficient_stock', '{"sku": "A"}')`);
    expect(error).toMatchObject({
      code: 'EC001',
      message: 'insufficient_stock',
      detail: '{"sku": "A"}',
      hint: 'a hint',
    });
    expect(error.where).toContain('refuse');
  });

  test('a syntax error carries its position, and an error inside a function its inner query', async () => {
    expect(await neonError(fixture.sql`selec 1`)).toMatchObject({ code: '42601', position: '1' });
    const inner = await neonError(fixture.sql.query(`do $$ begin execute 'selec 2'; end $$`));
    expect(inner).toMatchObject({ code: '42601', internalPosition: '1', internalQuery: 'selec 2' });
  });

  test('every field is in the reply, null when Postgres did not send it', async () => {
    const reply = await post(fixture, '{"query":"select 1/0"}');
    expect(reply.status).toBe(400);
    const body = (await reply.json()) as Record<string, unknown>;
    const fields = `code column constraint dataType detail file hint internalPosition internalQuery line message position
      routine schema severity table where`;
    expect(Object.keys(body).sort()).toEqual(fields.split(/\s+/));
    expect(body).toMatchObject({ code: '22012', message: 'division by zero', routine: 'int4div', constraint: null });
  });

  test('two statements in one query are refused, also without parameters', async () => {
    expect(await neonError(fixture.sql.query('select 1; select 2'))).toMatchObject({ code: '42601' });
  });

  test('a parameter that does not fit its type is the error of Postgres', async () => {
    expect(await neonError(fixture.sql`select ${'x'}::int`)).toMatchObject({ code: '22P02' });
    expect(await neonError(fixture.sql.query('select $1::int + $2::int', [1]))).toMatchObject({ code: '08P01' });
  });
});
