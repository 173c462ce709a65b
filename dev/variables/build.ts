// Writes README's tables of variables from their one file: npm run variables
import { readFileSync, writeFileSync } from 'node:fs';
import { withTables } from './table.ts';
import { allVariables } from './variables.ts';

const README = new URL('../../README.md', import.meta.url);
const variables = allVariables();
writeFileSync(README, withTables(readFileSync(README, 'utf8'), variables));
console.log(`README.md: ${variables.length} variables`);
