import type { ApiDocument } from '../support/contract.ts';

const ADMIN = /^\/api\/v1\/admin(\/|$)/;
const CHANGES = new Set(['put', 'patch', 'delete']);

/** Routes of staff that are open, or that ask for a permission nobody can hold. */
export function routeFaults({ paths }: Pick<ApiDocument, 'paths'>, permissions: readonly string[]): string[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([verb, operation]) => {
      const { 'x-auth': auth, 'x-permission': permission, responses } = operation;
      const name = `${verb.toUpperCase()} ${path}`;
      if (ADMIN.test(path) && auth !== 'staff') return [`${name} is for ${auth}`];
      if (auth !== 'staff') return permission === undefined ? [] : [`${name} is for ${auth} and names a permission`];
      if (permission === undefined) return [`${name} names no permission`];
      if (!permissions.includes(permission)) return [`${name} asks for ${permission}, which is not in the list`];
      if (verb === 'get' && !permission.endsWith(':read')) return [`${name} reads with ${permission}`];
      if (verb !== 'get' && permission.endsWith(':read')) return [`${name} changes with ${permission}`];
      return CHANGES.has(verb) && !('428' in responses) ? [`${name} changes without If-Match`] : [];
    }),
  );
}

/** Permissions that a migration gives to a role and that are not in the list. */
export function roleFaults(migrations: ReadonlyMap<string, string>, permissions: readonly string[]): string[] {
  return [...migrations].flatMap(([file, text]) =>
    statementsOnRoles(text).flatMap((statement) =>
      [...statement.matchAll(/\{([^}]*)\}/g)]
        .flatMap(([, list = '']) => list.split(',').map((each) => each.trim()))
        .filter((each) => each !== '' && each !== '*' && !permissions.includes(each))
        .map((each) => `${file} gives ${each}`),
    ),
  );
}

/** How many lists of permissions the migrations hold, so that a rule which finds none is seen. */
export function roleLists(migrations: ReadonlyMap<string, string>): number {
  return [...migrations.values()].flatMap(statementsOnRoles).flatMap((each) => [...each.matchAll(/\{/g)]).length;
}

function statementsOnRoles(text: string): string[] {
  return text.split(';').filter((statement) => /\b(insert into|update) roles\b/i.test(statement));
}
