import { call, type Json, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

/** Built-in roles, as the migration made them. */
export const OWNER = '00000000-0000-7000-8000-000000000001';
export const MANAGER = '00000000-0000-7000-8000-000000000002';
export const CATALOG = '00000000-0000-7000-8000-000000000004';
/** Of somebody who manages users and nothing else. */
export const HR = ['users:read', 'users:write'];

export interface Asker {
  get(path: string): Promise<Reply>;
  post(path: string, body: Json, options?: { key?: string }): Promise<Reply>;
  /** Changes carry `If-Match: *` unless told. */
  patch(path: string, body: Json, options?: ChangeOptions): Promise<Reply>;
  remove(path: string, options?: ChangeOptions): Promise<Reply>;
}

interface ChangeOptions {
  /** Null sends no If-Match. */
  ifMatch?: string | null;
  key?: string;
}

/** The admin routes as somebody with this token or key calls them. */
export function as(stack: Stack, token: string): Asker {
  const change = (method: string, path: string, body: Json, { ifMatch = '*', key }: ChangeOptions = {}) =>
    call(stack, method, `/admin${path}`, body, {
      token,
      ...(key !== undefined && { key }),
      headers: ifMatch === null ? {} : { 'if-match': ifMatch },
    });
  return {
    get: (path) => call(stack, 'GET', `/admin${path}`, undefined, { token }),
    post: (path, body, options = {}) => call(stack, 'POST', `/admin${path}`, body, { token, ...options }),
    patch: (path, body, options) => change('PATCH', path, body, options),
    remove: (path, options) => change('DELETE', path, undefined, options),
  };
}

export const refusal = ({ status, body }: Reply) => [status, body?.code, body?.param];

export interface Audited {
  action: string;
  actor_kind: string;
  actor_id: string;
  details: Json;
}

/** What the log says of one resource, oldest first. */
export async function auditOf(stack: Stack, resourceId: string): Promise<Audited[]> {
  const { rows } = await stack.owner.query<Audited>(
    'select action, actor_kind, actor_id, details from audit_log where resource_id = $1 order by id',
    [resourceId],
  );
  return rows;
}

/** Runs `work` while no entry of the log can be written. */
export async function withoutAuditLog(stack: Stack, work: () => Promise<void>): Promise<void> {
  await stack.owner.query(`
    create function refuse_entry() returns trigger language plpgsql as $$ begin raise exception 'no entry'; end $$;
    create trigger refuse_entry before insert on audit_log for each row execute function refuse_entry()`);
  try {
    await work();
  } finally {
    await stack.owner.query('drop trigger refuse_entry on audit_log; drop function refuse_entry');
  }
}

/** Runs `work` while Redis cannot be reached. */
export async function withoutRedis(stack: Stack, work: () => Promise<void>): Promise<void> {
  let isAway = true;
  stack.redis.inject(() => isAway, 'drop_request', Number.POSITIVE_INFINITY);
  try {
    await work();
  } finally {
    isAway = false;
  }
}

/** Tables as text, to see that a refused change left all as it was. */
export async function stateOf(stack: Stack, ...tables: string[]): Promise<string[]> {
  return await Promise.all(
    tables.map(async (table) => {
      const { rows } = await stack.owner.query(`select t::text as row from "${table}" t order by 1`);
      return rows.map(({ row }) => row).join('\n');
    }),
  );
}
