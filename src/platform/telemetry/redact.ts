declare const loggable: unique symbol;

/**
 * Text that may leave in a log line or a span. A plain string is none, so that whatever a caller sent does not compile
 * there; `redact` and `loggableId` are the only two doors.
 */
export type Loggable = string & { readonly [loggable]: true };

/** Characters of one text; a longer one is cut. */
const CHARS_MAX = 2_048;
const REDACTED = '[redacted]';

interface Rule {
  /** Without it the pattern cannot match; most texts have none, and looking for it costs next to nothing. */
  sign: string;
  pattern: RegExp;
  replacement: string;
}

const address = (at: string) =>
  new RegExp(`[^\\s@<>"'(),;:/[\\]\\\\]{1,64}${at}[^\\s@<>"'(),;:/[\\]\\\\]{1,255}`, 'gi');

/** In this order: a URL is stripped before what it holds may look like something else. */
const RULES: readonly Rule[] = [
  // User information; a password may hold anything but a space.
  { sign: '://', pattern: /(?<=[a-z][a-z\d+.-]{0,20}:\/\/)[^\s"<>]*@/gi, replacement: `${REDACTED}@` },
  // Query strings and fragments, also of a path alone.
  { sign: '?', pattern: /(?<=[\w/.)\]%*~\u0080-\uffff-])\?[^\s"<>]+/g, replacement: `?${REDACTED}` },
  { sign: '#', pattern: /(?<=\S)#[^\s"<>=]*=[^\s"<>]*/g, replacement: `#${REDACTED}` },
  { sign: ' ', pattern: /\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, replacement: `$1 ${REDACTED}` },
  // A JWT, or what is left of one.
  { sign: 'eyJ', pattern: /(?<![A-Za-z\d])eyJ[\w-]{4,}(?:\.[\w-]*)*/g, replacement: REDACTED },
  // Secret keys, payment methods and passwords that say by their prefix what they are.
  { sign: '_', pattern: /(?<![A-Za-z\d])(?:sk|rk|whsec|tok|pm|npg|glc|glsa)_\w{2,}/g, replacement: REDACTED },
  { sign: '@', pattern: address('@'), replacement: REDACTED },
  { sign: '40', pattern: address('%(?:25)*40'), replacement: REDACTED },
  // 128 or 256 bits as base64url, such as a cart's id, also behind a percent-escape: in mixed case, as no handle is.
  {
    sign: '',
    pattern: /(?:(?<![\w-])|(?<=%[\dA-Fa-f]{2}))(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{22}(?:[\w-]{21})?(?![\w-])/g,
    replacement: REDACTED,
  },
];

function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  // At a space: half a secret is not known as one.
  return `${text.slice(0, Math.max(text.lastIndexOf(' ', charsMax), 0))}…`;
}

/**
 * Takes out of a text, such as another program's error message, what looks like an e-mail address, a token, a key, a
 * credential, a query string or a capability. Not names, and not postal addresses: nothing tells them from other words.
 */
export function redact(text: string, charsMax = CHARS_MAX): Loggable {
  let shown = cut(text, charsMax);
  for (const { sign, pattern, replacement } of RULES) {
    if (shown.includes(sign)) shown = shown.replace(pattern, replacement);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand is given here and below, nowhere else
  return shown as Loggable;
}

/** Whether nothing of it is left in a text. */
export const isHidden = (secret: string): boolean => redact(secret) === REDACTED;

/** A UUID, or a trace's or span's id in hex. */
const ID = /^(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|[\da-f]{16}|[\da-f]{32})$/;

/** An id as it is, null as null; of anything else, only that it was there. */
export function loggableId(id: string): Loggable;
export function loggableId(id: string | null): Loggable | null;
export function loggableId(id: string | null): Loggable | null {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand is given here and above, nowhere else
  return id === null ? null : ((ID.test(id) ? id : REDACTED) as Loggable);
}
