import path from 'node:path';
import { Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { unstable_getMiniflareWorkerOptions } from 'wrangler';
import * as z from 'zod';

export interface Workers {
  /** The Worker's own socket, without the routing layers of a development server. */
  shop: URL;
  /** A Worker that answers `ok` and does nothing else, in the same workerd. */
  empty: URL;
  /** Chrome DevTools Protocol, when it was asked for. */
  inspector: URL | null;
  close(): Promise<void>;
}

// What of wrangler.toml the Worker needs to run; wrangler gives it without a type.
const Configured = z.object({
  compatibilityDate: z.string(),
  compatibilityFlags: z.array(z.string()),
  bindings: z.record(z.string(), z.json()),
  durableObjects: z.record(z.string(), z.object({ className: z.string(), useSQLite: z.boolean().exactOptional() })),
});

const EMPTY = `export default { fetch() { return new Response('ok'); } };`;
const DIRECT = { unsafeDirectSockets: [{ port: 0 }] };

/** Runs a bundle that wrangler made, configured as the environment of wrangler.toml with `bindings` on top. */
export async function startWorkers(options: {
  root: string;
  environment: string;
  bundle: string;
  bindings: Record<string, string>;
  inspect?: boolean;
}): Promise<Workers> {
  const toml = path.join(options.root, 'wrangler.toml');
  const { workerOptions } = unstable_getMiniflareWorkerOptions(toml, options.environment);
  const { bindings, ...configured } = Configured.parse(workerOptions);
  const workerd = new Miniflare(
    convertV4MiniflareOptions({
      ...(options.inspect === true && { inspectorPort: 0 }),
      // Log lines are measured, not read.
      handleStructuredLogs: () => undefined,
      workers: [
        {
          name: 'shop',
          modules: [{ type: 'ESModule', path: options.bundle }],
          modulesRoot: path.dirname(options.bundle),
          ...configured,
          bindings: { ...bindings, ...options.bindings },
          ...DIRECT,
        },
        { name: 'empty', modules: true, script: EMPTY, compatibilityDate: configured.compatibilityDate, ...DIRECT },
      ],
    }),
  );
  await workerd.ready;
  return {
    shop: await workerd.unsafeGetDirectURL('shop'),
    empty: await workerd.unsafeGetDirectURL('empty'),
    inspector: options.inspect === true ? await workerd.getInspectorURL() : null,
    close: () => workerd.dispose(),
  };
}
