import pg from 'pg';

/** The owner of the schema, who migrates: as on a hosted database no superuser, but one who may make roles and databases. */
export const OWNER_ROLE = 'ecommerce_owner';
/** The role that the Worker connects as; the migrations grant it its rights. */
export const APP_ROLE = 'ecommerce_app';

/** Makes both login roles, or sets their passwords when they are there. Needs a superuser. */
export function createRoles(superuserUrl: string, passwords: { owner: string; app: string }): Promise<void> {
  return asSuperuser(superuserUrl, async (client) => {
    const roles = [
      [OWNER_ROLE, passwords.owner],
      [APP_ROLE, passwords.app],
    ] as const;
    for (const [role, password] of roles) {
      const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
      if (rowCount === 0) await client.query(`create role ${role}`);
      await client.query(`alter role ${role} login password ${client.escapeLiteral(password)}`);
    }
    await client.query(`alter role ${OWNER_ROLE} createrole createdb`);
    await client.query(`grant ${APP_ROLE} to ${OWNER_ROLE} with admin option`);
  });
}

/** Makes a database that the owner role owns, as a copy of `template` when given; nothing if it is there. */
export function createDatabase(superuserUrl: string, name: string, template = 'template1'): Promise<void> {
  return asSuperuser(superuserUrl, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount !== 0) return;
    const [database, source] = [client.escapeIdentifier(name), client.escapeIdentifier(template)];
    await client.query(`create database ${database} owner ${OWNER_ROLE} template ${source}`);
  });
}

/** Ends whoever is connected to it. */
export function dropDatabase(superuserUrl: string, name: string): Promise<void> {
  return asSuperuser(superuserUrl, async (client) => {
    await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
  });
}

/** The same server and database, seen by another login. */
export function asRole(url: string, role: string, password: string, database?: string): string {
  const other = new URL(url);
  other.username = role;
  other.password = password;
  if (database !== undefined) other.pathname = `/${database}`;
  return other.href;
}

async function asSuperuser(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
