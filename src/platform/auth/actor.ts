/** Who acts. Switch on `kind` exhaustively. */
export type Actor =
  | { kind: 'guest'; address: string }
  | { kind: 'customer'; accountId: string; sessionId: string }
  | { kind: 'staff'; accountId: string; sessionId: string; permissions: readonly string[]; mfa: boolean }
  /** A server with an API key; `accountId` is the staff member who made it. */
  | { kind: 'key'; keyId: string; accountId: string; permissions: readonly string[] };

/** The customer a row may belong to; null for everybody else. */
export function customerIdOf(actor: Actor): string | null {
  return actor.kind === 'customer' ? actor.accountId : null;
}

/** A stable name of the actor, for limits and idempotency scopes. */
export function subjectOf(actor: Actor): string {
  if (actor.kind === 'guest') return `guest:${actor.address}`;
  return actor.kind === 'key' ? `key:${actor.keyId}` : `${actor.kind}:${actor.accountId}`;
}

/** Stands for every permission there is. */
const ALL = '*';

/** Whether `held` covers `needed`; nothing is held by default. */
export function isPermitted(held: readonly string[], needed: string): boolean {
  return held.includes(ALL) || held.includes(needed);
}
