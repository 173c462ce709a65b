import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OBSERVABILITY } from './programs.ts';

export const RUNBOOK = join(OBSERVABILITY, 'runbook');

/** Every page of the runbook. */
export const pages = readdirSync(RUNBOOK).map((file) => ({ file, text: readFileSync(join(RUNBOOK, file), 'utf8') }));

/** Fenced code of one language with the page that it is in. */
export function blocks(language: string): { file: string; block: string }[] {
  const fence = new RegExp(`^ *\`\`\`${language}\\n([\\s\\S]*?)^ *\`\`\``, 'gm');
  return pages.flatMap(({ file, text }) => [...text.matchAll(fence)].map(([, block = '']) => ({ file, block })));
}

/** Code in the text, without what is fenced. */
export function inlineOf(text: string): string[] {
  return [...text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');
}
