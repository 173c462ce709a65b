// Writes the passwords that are refused for being common. npm run passwords, after its package was updated.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { commonPasswordsSource } from './list.ts';

const FILE = path.resolve(import.meta.dirname, '../../src/domains/identity/passwords-common.ts');

await writeFile(FILE, await commonPasswordsSource());
