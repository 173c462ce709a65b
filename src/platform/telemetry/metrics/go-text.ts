/** Text as Go's `%q` writes it: errors of this kind are read by people who know them from Go programs. */
export function quote(text: string): string {
  return `"${Array.from(text, (character) => escape(character, '"')).join('')}"`;
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
