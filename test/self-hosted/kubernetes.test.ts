import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/platform/config.ts';
import { bindings, hostVariables, parseHost } from '../../src/platform/config/variables.ts';
import { type Json, manifests, named, workloads } from './kubernetes-manifests.ts';
import { checkManifest } from './kubernetes-schema.ts';

const api = (): Json => named('Deployment', 'ecommerce-api');
const containers = workloads.flatMap(({ metadata, spec }) =>
  spec.template.spec.containers.map((container: Json) => ({ workload: metadata.name, ...container })),
);

/** Free maps, in which every key is right. */
const FREE = /\.(labels|matchLabels|annotations|requests|limits|data|stringData)$|^Service\.spec\.selector$/;

describe('the schemas of Kubernetes', () => {
  test.each(manifests.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
    '%s %s is as they say',
    (_kind, _name, manifest) => expect(checkManifest(manifest)).resolves.toBeUndefined(),
  );

  test.each(manifests.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
    'a key that is misspelt anywhere in %s %s is found',
    async (_kind, _name, manifest) => {
      const broken = structuredClone(manifest);
      const unnoticed: string[] = [];
      const walk = async (value: Json, path: string): Promise<void> => {
        if (typeof value !== 'object' || value === null) return;
        if (!Array.isArray(value) && !FREE.test(path)) {
          value.misspelt = 'x';
          await checkManifest(broken).then(
            () => unnoticed.push(path),
            () => undefined,
          );
          delete value.misspelt;
        }
        for (const [key, child] of Object.entries(value)) await walk(child, `${path}.${key}`);
      };
      await walk(broken, broken.kind);
      expect(unnoticed).toEqual([]);
    },
  );

  test.each([
    ['a number that is text', (it: Json) => (it.spec.replicas = '3')],
    ['a required key that is missing', (it: Json) => delete it.spec.selector],
    ['a probe without a port', (it: Json) => delete it.spec.template.spec.containers[0].livenessProbe.httpGet.port],
  ])('%s is found', async (_what, breakIt) => {
    const broken = api();
    breakIt(broken);
    await expect(checkManifest(broken)).rejects.toThrow('Deployment');
  });
});

describe("the guide's figures", () => {
  const [container] = api().spec.template.spec.containers;

  test('probes and limits', () => {
    expect(container.livenessProbe).toEqual({
      httpGet: { path: '/health/live', port: 'http' },
      initialDelaySeconds: 30,
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    });
    expect(container.readinessProbe).toEqual({
      httpGet: { path: '/health/ready', port: 'http' },
      initialDelaySeconds: 10,
      periodSeconds: 5,
      timeoutSeconds: 3,
      failureThreshold: 3,
    });
    expect(container.resources).toEqual({
      requests: { cpu: '250m', memory: '384Mi' },
      limits: { cpu: '500m', memory: '512Mi' },
    });
  });

  test('from three to ten replicas at 70 % of the CPU or 80 % of the memory, and never fewer than two', () => {
    const { spec } = named('HorizontalPodAutoscaler', 'ecommerce-api-hpa');
    expect([spec.minReplicas, spec.maxReplicas, api().spec.replicas]).toEqual([3, 10, 3]);
    expect(spec.metrics.map(({ resource }: Json) => [resource.name, resource.target.averageUtilization])).toEqual([
      ['cpu', 70],
      ['memory', 80],
    ]);
    expect(spec.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'ecommerce-api' });
    expect(named('PodDisruptionBudget', 'ecommerce-api').spec.minAvailable).toBe(2);
  });

  test('the drain fits into the time that a pod gets', () => {
    const { terminationGracePeriodSeconds } = api().spec.template.spec;
    const drain = parseHost(named('ConfigMap', 'ecommerce-config').data).DRAIN_SECONDS;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(container.lifecycle.preStop.sleep.seconds + drain);
  });
});

describe('the manifests agree', () => {
  test('whoever selects pods finds some, by labels that the pods have', () => {
    const pods = workloads.map(({ spec }) => spec.template.metadata.labels as Record<string, string>);
    const selectors: Json[] = manifests.flatMap(({ kind, spec }: Json) => {
      if (kind === 'Service') return [spec.selector];
      if (kind === 'NetworkPolicy') return [spec.podSelector.matchLabels];
      return spec?.selector === undefined ? [] : [spec.selector.matchLabels];
    });
    for (const selector of selectors) {
      expect(pods.some((labels) => Object.entries(selector).every(([key, value]) => labels[key] === value))).toBe(true);
    }
    expect(selectors.length).toBeGreaterThan(8);
  });

  test('every ConfigMap, Secret and key that a container names is there', () => {
    for (const { env = [], envFrom = [] } of containers) {
      for (const { valueFrom } of env) {
        if (valueFrom === undefined) continue;
        const { name, key } = valueFrom.secretKeyRef;
        expect(named('Secret', name)?.stringData, `${name}.${key}`).toHaveProperty(key);
      }
      for (const { configMapRef, secretRef } of envFrom) {
        if (configMapRef) expect(named('ConfigMap', configMapRef.name)).toBeDefined();
        if (secretRef) expect(named('Secret', secretRef.name)).toBeDefined();
      }
    }
  });

  test('every port is one that a container has', () => {
    for (const { spec } of manifests.filter(({ kind }) => kind === 'Service') as Json[]) {
      const workload = workloads.find(({ metadata }) => metadata.labels?.app === spec.selector.app);
      const names = workload.spec.template.spec.containers.flatMap(({ ports = [] }: Json) => ports);
      for (const { targetPort } of spec.ports) expect(names.map(({ name }: Json) => name)).toContain(targetPort);
    }
  });

  test('nobody is root, nobody may become it, and nothing of the image can be written', () => {
    for (const { securityContext, workload, name } of containers) {
      expect(securityContext, `${workload} ${name}`).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    for (const { spec } of workloads) {
      const { securityContext, automountServiceAccountToken } = spec.template.spec;
      expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(automountServiceAccountToken).toBe(false);
    }
  });
});

describe('the variables', () => {
  const config = named('ConfigMap', 'ecommerce-config').data;
  const secrets = named('Secret', 'ecommerce-secrets').stringData;

  test('all that is set is read by somebody', () => {
    const known = new Set([...Object.keys(bindings.shape), ...Object.keys(hostVariables().shape)]);
    const set = manifests.flatMap(({ data, stringData }) => Object.keys(data ?? stringData ?? {}));
    const inline = containers.flatMap(({ env = [] }) => env.map(({ name }: Json) => name));
    for (const name of [...set, ...inline]) expect(known, name).toContain(name);
  });

  test('with the placeholders of the example nothing starts', () => {
    expect(() => parseConfig({ ...config, ...secrets })).toThrow('must not be a placeholder');
  });

  test('with secrets of one’s own it is a production that starts', () => {
    const own = Object.keys(secrets).filter((name) => /_(SECRET|TOKEN)$/.test(name));
    const filled = Object.fromEntries(own.map((name) => [name, randomBytes(32).toString('base64')]));
    const environment = { ...config, ...secrets, ...filled };
    expect(parseConfig(environment)).toMatchObject({ ENVIRONMENT: 'production', TRACING_SAMPLING_RATE: 0.1 });
    expect(parseHost(environment)).toMatchObject({ PORT: 8080, DRAIN_SECONDS: 25 });
  });
});
