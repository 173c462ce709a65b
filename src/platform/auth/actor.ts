/** Who acts. Switch on `kind` exhaustively. */
export type Actor =
  | { kind: 'guest'; address: string }
  | { kind: 'customer'; accountId: string; sessionId: string }
  | { kind: 'staff'; accountId: string; sessionId: string };

/** The customer a row may belong to; null for everybody else. */
export function customerIdOf(actor: Actor): string | null {
  return actor.kind === 'customer' ? actor.accountId : null;
}

/** A stable name of the actor, for limits and idempotency scopes. */
export function subjectOf(actor: Actor): string {
  return actor.kind === 'guest' ? `guest:${actor.address}` : `${actor.kind}:${actor.accountId}`;
}
