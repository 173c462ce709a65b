import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const SOURCE = '@zxcvbn-ts/language-common';
/** Shorter passwords are refused for their length. */
const PASSWORD_CHARS_MIN = 10;
/** Words that people only decorate to reach that length (`Welcome2024!`), among this many of the most frequent ones. */
const RANKS_OF_WORDS = 2_000;
const WORD = /^[a-z]{5,9}$/;
/** What a TypeScript string can hold as it is. */
const PLAIN = /^[!#-&(-[\]-~]+$/;
const SHARED_MAX = 35;

async function frequentPasswords(): Promise<string[]> {
  const file = fileURLToPath(import.meta.resolve('@zxcvbn-ts/language-common/src/passwords.json'));
  const ranked: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!Array.isArray(ranked)) throw new Error(`${SOURCE} holds no list of passwords any more`);
  const texts = ranked.map((entry) => String(entry).normalize('NFKC').toLowerCase());
  return [...new Set(texts)].filter((text) => PLAIN.test(text));
}

/** Each entry but for what it shares with the one before, whose length in base 36 stands first: half the size. */
function frontCoded(sorted: readonly string[]): string {
  let previous = '';
  const entries = sorted.map((text) => {
    let shared = 0;
    while (shared < SHARED_MAX && shared < text.length && text[shared] === previous[shared]) shared += 1;
    previous = text;
    return shared.toString(36) + text.slice(shared);
  });
  return entries.join(' ');
}

/** The source of src/domains/identity/passwords-common.ts: of the list in the package only what can matter here. */
export async function commonPasswordsSource(): Promise<string> {
  const ranked = await frequentPasswords();
  const long = ranked.filter((text) => text.length >= PASSWORD_CHARS_MIN);
  const words = ranked.slice(0, RANKS_OF_WORDS).filter((text) => WORD.test(text));
  const entries = [...long, ...words].sort();
  return [
    `// Made by npm run passwords from ${SOURCE}: Copyright 2012-2016 Dan Wheeler and Dropbox, Inc., and`,
    '// 2021 @zxcvbn-ts; MIT License. Do not edit.',
    '',
    `/** ${long.length} passwords of ${PASSWORD_CHARS_MIN} characters and more, and ${words.length} words, front-coded. */`,
    'export const FRONT_CODED =',
    `  '${frontCoded(entries)}';`,
    '',
  ].join('\n');
}
