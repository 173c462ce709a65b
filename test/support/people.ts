import { randomUUID } from 'node:crypto';
import { call, type CallOptions, type Json } from './shop.ts';
import type { Stack } from './stack.ts';

export interface Person {
  id: string;
  email: string;
  password: string;
  /** Access token, for CallOptions. */
  token: string;
  refreshToken: string;
}

/** A new customer, signed in. */
export async function register(stack: Stack, details: Json = {}, options: CallOptions = {}): Promise<Person> {
  const email = `${randomUUID()}@people.example.test`;
  const password = `password of ${email}`;
  const { status, body, text } = await call(stack, 'POST', '/auth/register', { email, password, ...details }, options);
  if (status !== 201) throw new Error(`not registered: ${text}`);
  return { id: body.customer.id, email, password, token: body.access_token, refreshToken: body.refresh_token };
}
