import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer } from 'node:net';

/**
 * Holds the folder for this process alone: two would write the same databases. The kernel lets it go with the process,
 * however that ends. Linux only, elsewhere it does nothing. Rejects when another process of this machine has it.
 */
export async function lockFolder(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const name = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const server = createServer().unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () => reject(new Error(`STATE_DIR ${folder} is used by another process`)));
    server.listen(`\0ecommerce-api-${name}`, resolve);
  });
}
