/** A configuration with every binding that has no default, and no other. */
export const BINDINGS: Record<string, string> = {
  ENVIRONMENT: 'test',
  DATABASE_URL: 'postgres://app:secret@db.example.test/shop?sslmode=require',
  UPSTASH_REDIS_REST_URL: 'https://redis.example.test',
  UPSTASH_REDIS_REST_TOKEN: 'redis-0123456789-abcdef',
  JWT_ACCESS_SECRET: 'access-0123456789-abcdefghijklmnop',
  JWT_REFRESH_SECRET: 'refresh-0123456789-abcdefghijklmno',
  ORDER_TOKEN_SECRET: 'orders-0123456789-abcdefghijklmnop',
};
