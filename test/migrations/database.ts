import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject, onTestFinished } from 'vitest';
import { asRole, createDatabase, dropDatabase, OWNER_ROLE } from '../../dev/roles.ts';

/** An empty database of this test's own; answers its owner's connection string. */
export async function emptyDatabase(): Promise<string> {
  const { superuserUrl, ownerPassword } = inject('shared');
  const name = `migrations_${randomBytes(6).toString('hex')}`;
  await createDatabase(superuserUrl, name);
  onTestFinished(() => dropDatabase(superuserUrl, name));
  return asRole(superuserUrl, OWNER_ROLE, ownerPassword, name);
}

/** A folder with the given files, for the length of this test. */
export function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-commerce-migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const IN_PUBLIC = "nspname = 'public' and relname not like 'schema_migrations%'";

/** Everything that makes up the schema, as sorted lines: what pg_dump --schema-only would tell, without needing it. */
export async function schemaOf(url: string): Promise<string[]> {
  const parts = [
    `select format('relation %s %s %s %s', relkind, relname, relrowsecurity, relacl) as line
       from pg_class join pg_namespace n on n.oid = relnamespace where ${IN_PUBLIC}`,
    `select format('column %s.%s %s %s not null %s default %s %s %s', relname, attnum, attname,
              format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity, attgenerated)
       from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
       left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where ${IN_PUBLIC} and attnum > 0 and not attisdropped`,
    `select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(o.oid))
       from pg_constraint o join pg_class c on c.oid = conrelid join pg_namespace n on n.oid = relnamespace
       where ${IN_PUBLIC}`,
    `select format('index %s %s', relname, pg_get_indexdef(c.oid))
       from pg_class c join pg_namespace n on n.oid = relnamespace where ${IN_PUBLIC} and relkind = 'i'`,
    `select format('function %s %s', pg_get_functiondef(p.oid), proacl) from pg_proc p
       join pg_namespace n on n.oid = pronamespace where nspname = 'public'
       and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`,
    `select format('trigger %s %s', tgname, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal`,
    `select format('view %s %s', relname, pg_get_viewdef(c.oid))
       from pg_class c join pg_namespace n on n.oid = relnamespace where ${IN_PUBLIC} and relkind in ('v', 'm')`,
    `select format('enum %s %s', typname, array_agg(enumlabel order by enumsortorder))
       from pg_enum join pg_type t on t.oid = enumtypid group by typname`,
    `select format('extension %s', extname) from pg_extension`,
    `select format('schema %s %s', nspname, nspacl) from pg_namespace where nspname !~ '^(pg_|information_schema)'`,
    `select format('default rights %s %s', defaclobjtype, defaclacl) from pg_default_acl`,
  ];
  const rows = await query(url, parts.join('\nunion all\n'));
  return rows.map((row) => String(row['line'])).sort();
}
