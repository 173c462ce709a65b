import { logout, refresh } from '../../src/domains/identity/service.ts';
import { createIds } from '../../src/platform/id.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { AppError } from '../../src/platform/errors.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { compile, type Sql } from '../../src/platform/db/sql.ts';
import type { Deps } from '../../src/platform/deps.ts';
import { call } from '../support/shop.ts';
import type { Cast } from '../security/cast.ts';
import type { Door } from './family.ts';

/** The Worker's routes. */
export function doorOf({ stack, secrets }: Cast): Door {
  const post = (path: string, refresh_token: string) => call(stack, 'POST', path, { refresh_token });
  return {
    owner: stack.owner,
    secret: secrets.refresh,
    async refresh(token) {
      const { status, body } = await post('/auth/refresh', token);
      return { status, successor: body.refresh_token ?? null };
    },
    logout: async (token) => (await post('/auth/logout', token)).status,
  };
}

/** What the routes call, on the same database without HTTP, Redis and a Worker between. */
export function withoutWorker({ stack, secrets }: Cast): Door {
  const deps = depsOf({ stack, secrets });
  return {
    owner: stack.owner,
    secret: secrets.refresh,
    async refresh(token) {
      try {
        return { status: 200, successor: (await refresh(deps, token)).refresh_token };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        return { status: error.status, successor: null };
      }
    },
    async logout(token) {
      await logout(deps, token);
      return 204;
    },
  };
}

function depsOf({ stack, secrets }: Pick<Cast, 'stack' | 'secrets'>): Deps {
  const config = parseConfig({
    ENVIRONMENT: 'test',
    DATABASE_URL: 'postgres://nobody@localhost/none',
    UPSTASH_REDIS_REST_URL: 'http://localhost',
    UPSTASH_REDIS_REST_TOKEN: 'never-spoken-to-0123456789',
    JWT_ACCESS_SECRET: secrets.access,
    JWT_REFRESH_SECRET: secrets.refresh,
    ORDER_TOKEN_SECRET: secrets.metrics,
  });
  const pipeline = { set: () => pipeline, exec: async () => [] };
  const used = {
    config,
    clock: systemClock,
    ids: createIds(systemClock),
    log: { log: () => undefined },
    metrics: { count: () => undefined },
    redis: { pipeline: () => pipeline },
    trips: { db: 0, redis: 0, provider: 0 },
    db: {
      // One statement is a transaction of its own, as a batch of one is.
      async writeResent(...statements: Sql[]) {
        const [statement, ...more] = statements;
        if (statement === undefined || more.length > 0) throw new Error('refresh and logout send one statement');
        const { rows } = await stack.owner.query(compile(statement));
        return [rows.map((row: object) => JSON.parse(JSON.stringify(row)) as object)];
      },
    },
  };
  return used as unknown as Deps;
}
