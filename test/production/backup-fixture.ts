import { execFile } from 'node:child_process';
import { join } from 'node:path';

export const BACKUP = join(import.meta.dirname, '../../deploy/backup');

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A script of deploy/backup as cron runs it: no environment but what is given. */
export function runScript(script: string, args: string[], env: Record<string, string>): Promise<Outcome> {
  return new Promise((resolve) => {
    const bare = { PATH: process.env['PATH'] ?? '', HOME: '/', BACKUP_ENV: '/nowhere', ...env };
    execFile(join(BACKUP, script), args, { env: bare }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });
}
