// Own runner: postgrator has no lock and its own file names, node-pg-migrate no checksums, dbmate
// neither checksums nor files that psql can run alone.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import pg from 'pg';

const MIGRATIONS_DIR = join(import.meta.dirname, '../migrations');
/** Any constant will do, as long as every runner uses the same. */
const LOCK_KEY = 7_246_310_583;
const NAME = /^\d{14}_[a-z]+(_[a-z0-9]+)+$/;
const TABLE = `create table if not exists public.schema_migrations (
  name text primary key, checksum text not null, applied_at timestamptz not null default now())`;

interface AppliedRow {
  name: string;
  checksum: string;
  applied_at: Date;
}

export interface MigrationState {
  name: string;
  checksum: string;
  state: 'applied' | 'pending' | 'edited' | 'missing' | 'out of order';
  appliedAt: string;
}

/** Applies every pending file, each in one transaction with its row; answers their names. */
export function migrateUp(databaseUrl: string, folder = MIGRATIONS_DIR): Promise<string[]> {
  return withClient(databaseUrl, true, async (client) => {
    const pending = refuseFaults(await compare(client, folder)).filter((row) => row.state === 'pending');
    const record = 'insert into public.schema_migrations (name, checksum) values ($1, $2)';
    for (const row of pending)
      await applyFile(client, join(folder, `${row.name}.sql`), record, [row.name, row.checksum]);
    return pending.map((row) => row.name);
  });
}

/** Takes back the newest `steps` migrations by their .down.sql files; answers their names. */
export function migrateDown(databaseUrl: string, steps = 1, folder = MIGRATIONS_DIR): Promise<string[]> {
  return withClient(databaseUrl, true, async (client) => {
    const applied = refuseFaults(await compare(client, folder)).filter((row) => row.state === 'applied');
    const names = applied
      .slice(-steps)
      .map((row) => row.name)
      .reverse();
    const record = 'delete from public.schema_migrations where name = $1';
    for (const name of names) await applyFile(client, join(folder, `${name}.down.sql`), record, [name]);
    return names;
  });
}

/** Every file and every applied row with its state; changes nothing. */
export function migrationStatus(databaseUrl: string, folder = MIGRATIONS_DIR): Promise<MigrationState[]> {
  return withClient(databaseUrl, false, (client) => compare(client, folder));
}

function readMigrations(folder: string): { name: string; checksum: string }[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'));
  const names = files.filter((file) => !file.endsWith('.down.sql')).map((file) => basename(file, '.sql'));
  return names.sort().map((name) => {
    if (!NAME.test(name)) throw new Error(`${name}.sql: a migration is named <yyyymmddhhmmss>_<verb>_<noun>.sql.`);
    if (!files.includes(`${name}.down.sql`)) throw new Error(`${name}.sql has no ${name}.down.sql beside it.`);
    // Line endings are not content: a checkout on Windows must not look edited.
    const text = readFileSync(join(folder, `${name}.sql`), 'utf8').replaceAll('\r\n', '\n');
    return { name, checksum: createHash('sha256').update(text).digest('hex') };
  });
}

async function compare(client: pg.Client, folder: string): Promise<MigrationState[]> {
  const files = readMigrations(folder);
  const { rows: known } = await client.query("select to_regclass('public.schema_migrations') is not null as yes");
  const statement = 'select name, checksum, applied_at from public.schema_migrations order by name';
  const { rows: applied } = known[0]?.yes ? await client.query<AppliedRow>(statement) : { rows: [] };
  const states = files.map(({ name, checksum }): MigrationState => {
    const row = applied.find((candidate) => candidate.name === name);
    const late = name < (applied.at(-1)?.name ?? '');
    if (row === undefined) return { name, checksum, state: late ? 'out of order' : 'pending', appliedAt: '' };
    const state = row.checksum === checksum ? 'applied' : 'edited';
    return { name, checksum, state, appliedAt: row.applied_at.toISOString() };
  });
  const missing = applied.filter((row) => !files.some((file) => file.name === row.name));
  for (const row of missing) states.push({ ...row, state: 'missing', appliedAt: row.applied_at.toISOString() });
  return states.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function refuseFaults(states: MigrationState[]): MigrationState[] {
  const faults = states.filter((row) => row.state !== 'applied' && row.state !== 'pending');
  if (faults.length === 0) return states;
  const lines = faults.map((row) => `  ${row.name}.sql: ${row.state}`).join('\n');
  throw new Error(`Refused, nothing was changed. An applied file stays as it is, and a new one comes last:\n${lines}`);
}

async function applyFile(client: pg.Client, path: string, record: string, values: string[]): Promise<void> {
  const sql = readFileSync(path, 'utf8');
  const own = /^\s*(begin|commit|rollback)\s*;/im.exec(sql);
  try {
    if (own !== null) throw new Error(`${own[0].trim()} must be left to the runner`);
    await client.query('begin');
    await client.query(sql);
    await client.query(record, values);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    const position = error instanceof pg.DatabaseError ? Number(error.position ?? 0) : 0;
    const line = position > 0 ? `:${sql.slice(0, position).split('\n').length}` : '';
    throw new Error(`${basename(path)}${line}: ${error instanceof Error ? error.message : ''}`, { cause: error });
  }
}

/** What a superuser makes would be theirs: once the schema has an owner, everything is made as that role. */
async function actAsOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(`
    select pg_get_userbyid(relowner) as owner from pg_class where oid = to_regclass('public.schema_migrations')
      and (select rolsuper from pg_roles where rolname = current_user)`);
  for (const { owner } of rows) await client.query(`set role ${client.escapeIdentifier(owner)}`);
}

/** The lock is a session's, so a direct connection is needed: a transaction pooler would lose it. */
async function withClient<T>(url: string, lock: boolean, work: (client: pg.Client) => Promise<T>): Promise<T> {
  if (new URL(url).hostname.includes('-pooler.')) throw new Error('Migrations need the unpooled host of Neon.');
  const client = new pg.Client({ connectionString: url, application_name: 'migrate' });
  await client.connect();
  try {
    await actAsOwner(client);
    if (lock) await client.query('select pg_advisory_lock($1)', [LOCK_KEY]);
    if (lock) await client.query(TABLE);
    return await work(client);
  } finally {
    await client.end();
  }
}

async function main([command = '', steps = '1']: string[], url: string | undefined): Promise<void> {
  const usage = 'Usage: npm run migrate -- up | down [steps] | status';
  if (!['up', 'down', 'status'].includes(command) || !/^[1-9]\d*$/.test(steps)) throw new Error(usage);
  if (url === undefined) throw new Error('Set MIGRATION_DATABASE_URL: the owner of the schema, unpooled.');
  if (command === 'status') {
    const rows = (await migrationStatus(url)).map((row) => [row.name, row.state, row.appliedAt]);
    for (const [name = '', state = '', at] of [['migration', 'state', 'applied at'], ...rows]) {
      console.log(`${name.padEnd(48)} ${state.padEnd(12)} ${at}`);
    }
    return;
  }
  const names = command === 'up' ? await migrateUp(url) : await migrateDown(url, Number(steps));
  console.log(names.length === 0 ? 'Nothing to do.' : names.map((name) => `${command}  ${name}`).join('\n'));
}

if (import.meta.main) {
  await main(process.argv.slice(2), process.env.MIGRATION_DATABASE_URL).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
