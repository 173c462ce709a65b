import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { digestOf } from '../../platform/auth/credential.ts';
import { putToken, type TokenPurpose } from './queries/tokens.ts';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

/** A link to a new password is as good as the password; a link that only proves an address can wait. */
const LIFE_S: Record<TokenPurpose, number> = { password_reset: HOUR_S, email_verification: 3 * DAY_S };

/** Seconds between two mails that a stranger can cause. */
export const MAIL_SPACING_S = 60;

export interface AccountToken {
  /** 128 random bits; it is in the mail and nowhere else. */
  token: string;
  /** The params of a mail that carries it. */
  link: { token: string; expiresInS: number };
  /** For the caller's batch; its row has the address to mail to. No row, no mail. */
  statement: Sql<{ email: string }>;
}

/**
 * A single-use token for one account and purpose, which voids the one before it. `spacingS`: nothing happens when that one
 * is younger.
 */
export async function newAccountToken(
  { ids }: Deps,
  accountId: string,
  purpose: TokenPurpose,
  { ttlS = LIFE_S[purpose], spacingS = 0 }: { ttlS?: number; spacingS?: number } = {},
): Promise<AccountToken> {
  const token = ids.capability();
  const statement = putToken({ accountId, purpose, digest: await digestOf(token), ttlS, spacingS });
  return { token, link: { token, expiresInS: ttlS }, statement };
}
