import { join } from 'node:path';
import { type Replica, startReplica } from './replica.ts';

const SERVICES = join(import.meta.dirname, '../../deploy/services');

/** One of the shipped endpoints as a process of its own, on a free port. */
export function startService(
  name: 'postgres' | 'redis',
  env: Record<string, string>,
  folder = SERVICES,
): Promise<Replica> {
  return startReplica({ env, command: [process.execPath, join(folder, `${name}.ts`)] });
}
