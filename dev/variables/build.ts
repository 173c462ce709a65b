// Writes README's tables of variables and the page of the production checklist: npm run variables
import { readFileSync, writeFileSync } from 'node:fs';
import { checklistPage } from '../doctor/page.ts';
import { withTables } from './table.ts';
import { allVariables } from './variables.ts';

const README = new URL('../../README.md', import.meta.url);
const CHECKLIST = new URL('../../observability/checklist.md', import.meta.url);
const variables = allVariables();
writeFileSync(README, withTables(readFileSync(README, 'utf8'), variables));
writeFileSync(CHECKLIST, checklistPage());
console.log(`README.md: ${variables.length} variables; observability/checklist.md`);
