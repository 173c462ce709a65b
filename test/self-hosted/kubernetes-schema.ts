export type Manifest = Record<string, unknown> & {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
};

/** A compiled JSON schema of Kubernetes' own OpenAPI document. */
interface Schema {
  validate: ((data: unknown) => boolean) & {
    errors?: { instancePath: string; message?: string; keyword: string }[] | null;
  };
}

/**
 * Checks a manifest against the schema of its kind, and throws what is wrong. The schemas by themselves let unknown keys
 * pass, which is how a misspelt limit goes unnoticed: here a key that the schema never asks for is a fault too.
 */
export async function checkManifest(manifest: Manifest): Promise<void> {
  const { kind } = manifest;
  const { validate } = await schemaOf(manifest);
  const unasked = new Set<string>();
  if (!validate(watched(manifest, kind, unasked))) {
    throw new Error(`${kind}: ${JSON.stringify(validate.errors)}`);
  }
  if (unasked.size > 0) throw new Error(`unknown: ${[...unasked].join(', ')}`);
}

/** `apps/v1` and `Deployment` are io.k8s.api.apps.v1.Deployment. */
async function schemaOf({ apiVersion, kind }: Manifest): Promise<Schema> {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  const capital = (word: string): string => `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
  const name = `IoK8sApi${capital(group.replace(/\..*/, ''))}${capital(version)}${kind}`;
  return (await import(`kubernetes-models/_schemas/${name}`)) as Schema;
}

/** The same value, of which `unasked` holds the path of each key that nobody has read yet. */
function watched(value: unknown, path: string, unasked: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const pathOf = (key: string): string => (Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
  const children = Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, watched(child, pathOf(key), unasked)]),
  );
  const target = Array.isArray(value) ? Object.values(children) : children;
  for (const key of Object.keys(target)) unasked.add(pathOf(key));
  return new Proxy(target, {
    get(object, key, receiver) {
      if (typeof key === 'string') unasked.delete(pathOf(key));
      return Reflect.get(object, key, receiver) as unknown;
    },
  });
}
