import { Buffer } from 'node:buffer';

/** Text as Go's `%q` writes it: errors of this kind are read by people who know them from Go programs. */
export function quote(text: string): string {
  return `"${Array.from(text, (character) => escape(character, '"')).join('')}"`;
}

/** RFC 3629, section 4: no surrogate, nothing longer than it need be, nothing above U+10FFFF. */
const SEQUENCE =
  /[\xc2-\xdf][\x80-\xbf]|(?:\xe0[\xa0-\xbf]|\xed[\x80-\x9f]|[\xe1-\xec\xee\xef][\x80-\xbf])[\x80-\xbf]|(?:\xf0[\x90-\xbf]|\xf4[\x80-\x8f]|[\xf1-\xf3][\x80-\xbf])[\x80-\xbf]{2}|[^]/g;

/** The same for bytes, each given as the character of its number; what is not UTF-8 is shown by its number. */
export function quoteBytes(bytes: string): string {
  const shown = bytes.replaceAll(SEQUENCE, (sequence) => {
    if (sequence.length > 1) return Buffer.from(sequence, 'latin1').toString();
    return sequence < '\x80' ? escape(sequence, '"') : `\\x${sequence.charCodeAt(0).toString(16)}`;
  });
  return `"${shown}"`;
}

/** One character as Go's `%q` writes a byte. */
export function quoteCharacter(character: string): string {
  return `'${escape(character, "'")}'`;
}

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\f': '\\f', '\b': '\\b' };

function escape(character: string, delimiter: string): string {
  if (character === delimiter || character === '\\') return `\\${character}`;
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code === 7) return '\\a';
  return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : character;
}
