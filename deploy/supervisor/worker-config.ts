/** As in wrangler.toml, which a test holds this against. Its nodejs_compat is a default of that date: workerd says so. */
export const COMPATIBILITY_DATE = '2026-10-01';

/** Durable Object classes of the bundle by binding; the keys name their folders, so they never change. */
const OBJECTS = [
  { binding: 'METRICS', className: 'MetricsAggregator', key: 'edge-commerce-metrics' },
  { binding: 'CLOCKWORK', className: 'Clockwork', key: 'edge-commerce-clockwork' },
] as const;

/** workerd has no cron: whoever asks this Worker starts the clock, which then winds itself. */
const STARTER = `export default {
  async fetch(_request, env) {
    await env.CLOCKWORK.getByName('clockwork').start();
    return new Response(null, { status: 204 });
  },
};`;

export interface WorkerPlan {
  /** Folder of the bundle that wrangler made; its main module is index.js. */
  bundleDir: string;
  /** Folder where Durable Objects keep what they know. */
  objectsDir: string;
  /** Paths of the Unix sockets on which the Worker and the starter listen. */
  shopSocket: string;
  starterSocket: string;
  /** Names of the bindings, whose values workerd reads from its environment: no secret is written down. */
  bindings: readonly string[];
  /** Certificates to trust, as PEM: an image without ca-certificates reaches https peers as well. */
  authorities: readonly string[];
}

const ESCAPES: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text of Cap'n Proto. */
function text(value: string): string {
  const escape = (character: string) =>
    ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return `"${value.replaceAll(/["\\\p{Cc}]/gu, escape)}"`;
}

const list = (items: readonly string[]): string => `[${items.join(', ')}]`;

function shopService({ bundleDir, bindings }: WorkerPlan): string {
  const values = bindings.map((name) => `(name = ${text(name)}, fromEnvironment = ${text(name)})`);
  const objects = OBJECTS.map(
    ({ binding, className }) => `(name = ${text(binding)}, durableObjectNamespace = ${text(className)})`,
  );
  const namespaces = OBJECTS.map(
    ({ className, key }) => `(className = ${text(className)}, uniqueKey = ${text(key)}, enableSql = true)`,
  );
  return `(name = "shop", worker = (
    modules = [(name = "index.js", esModule = embed ${text(`${bundleDir}/index.js`)})],
    compatibilityDate = ${text(COMPATIBILITY_DATE)},
    bindings = ${list([...values, ...objects])},
    durableObjectNamespaces = ${list(namespaces)},
    durableObjectStorage = (localDisk = "objects"),
  ))`;
}

function starterService(): string {
  return `(name = "starter", worker = (
    modules = [(name = "starter.js", esModule = ${text(STARTER)})],
    compatibilityDate = ${text(COMPATIBILITY_DATE)},
    bindings = [(name = "CLOCKWORK", durableObjectNamespace = (className = "Clockwork", serviceName = "shop"))],
  ))`;
}

/** What workerd serves, as the text it reads: the schema is workerd.capnp in its package. Paths are absolute. */
export function workerConfig(plan: WorkerPlan): string {
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  logging = (structuredLogging = true),
  services = [
    ${shopService(plan)},
    ${starterService()},
    (name = "objects", disk = (path = ${text(plan.objectsDir)}, writable = true)),
    (name = "internet", network = (
      allow = ["public", "private"],
      tlsOptions = (trustedCertificates = ${list(plan.authorities.map(text))}),
    )),
  ],
  sockets = [
    (name = "shop", address = ${text(`unix:${plan.shopSocket}`)}, http = (), service = "shop"),
    (name = "starter", address = ${text(`unix:${plan.starterSocket}`)}, http = (), service = "starter"),
  ],
);
`;
}
