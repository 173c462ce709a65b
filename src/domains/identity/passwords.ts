import { AppError } from '../../platform/errors.ts';
import { FRONT_CODED } from './passwords-common.ts';

let parsed: ReadonlySet<string> | null = null;

/** Parsed by the first password that is chosen: reads do not pay for it. */
function commonPasswords(): ReadonlySet<string> {
  if (parsed) return parsed;
  const all = new Set<string>();
  let previous = '';
  for (const entry of FRONT_CODED.split(' ')) {
    previous = previous.slice(0, Number.parseInt(entry.charAt(0), 36)) + entry.slice(1);
    all.add(previous);
  }
  parsed = all;
  return all;
}

/** Digits and signs around a word that make it long enough and no harder to guess: `Welcome2024!`. */
const DECORATION_MAX = 6;

const LOOKALIKES: Record<string, string> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  '0': 'o',
  $: 's',
  '5': 's',
};

function isCommon(text: string): boolean {
  if (commonPasswords().has(text)) return true;
  const word = text.replaceAll(/^[^a-z]+|[^a-z]+$/g, '');
  const plain = word.replaceAll(/[^a-z]/g, (sign) => LOOKALIKES[sign] ?? sign);
  return text.length - word.length <= DECORATION_MAX && commonPasswords().has(plain);
}

/** One character, or a few, again and again: `aaaaaaaaaa`, `abcabcabcabc`. */
const UNIT_MAX = 5;

function isRepetition(text: string): boolean {
  for (let unit = 1; unit <= UNIT_MAX; unit += 1) {
    if (
      text ===
      text
        .slice(0, unit)
        .repeat(Math.ceil(text.length / unit))
        .slice(0, text.length)
    )
      return true;
  }
  return false;
}

/** The alphabet, the digits, and the rows of the usual keyboards, each twice so that a walk may go round. */
const WALKS = [
  'abcdefghijklmnopqrstuvwxyz',
  '1234567890',
  '`1234567890-=',
  "qwertyuiop[]asdfghjkl;'#zxcvbnm,./",
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.',
].map((walk) => walk + walk);

function isWalk(text: string): boolean {
  const reversed = Array.from(text).toReversed().join('');
  return WALKS.some((walk) => walk.includes(text) || walk.includes(reversed));
}

/** Letters and digits alone, without the digits that people put behind a name. */
function stem(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}]/gu, '').replace(/\p{N}+$/u, '');
}

function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

export interface PasswordContext {
  email: string | null;
  /** Whatever somebody who guesses would try first: the person's names, the shop's. */
  names: readonly (string | null | undefined)[];
  /** Where the password stands in the request. */
  param?: string;
}

function isPersonal(text: string, { email, names }: PasswordContext): boolean {
  const local = email?.slice(0, email.lastIndexOf('@'));
  const own = stem(text);
  return own !== '' && [email, local, ...names].some((known) => known != null && stem(fold(known)) === own);
}

/** Why a password is easily guessed; null when nothing says so (NIST SP 800-63B, 3.1.1.2: a blocklist, no composition). */
function weaknessOf(password: string, context: PasswordContext): string | null {
  const text = fold(password);
  if (isRepetition(text)) return 'repeats itself';
  if (isWalk(text)) return 'is a run of neighbouring characters';
  if (isPersonal(text, context)) return 'is your e-mail address or a name';
  return isCommon(text) ? 'is among those that are tried first' : null;
}

/** Throws validation_failed naming why. Length is the schema's; call it before hashing. */
export function assertGoodPassword(password: string, context: PasswordContext): void {
  const weakness = weaknessOf(password, context);
  if (weakness === null) return;
  const { param = 'password' } = context;
  const message = `The password ${weakness}. Choose another one.`;
  throw new AppError('validation_failed', `${param}: ${message}`, {
    param,
    errors: [{ param, code: 'weak_password', message }],
  });
}
