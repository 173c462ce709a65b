import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostVariables, parseHost } from '../../src/platform/config/variables.ts';
import { type Json, manifests, named, patched, workloads } from './kubernetes-manifests.ts';
import { checkManifest } from './kubernetes-schema.ts';

const services: Json[] = manifests.filter(({ kind }) => kind === 'Service');
const policies: Json[] = manifests.filter(({ kind }) => kind === 'NetworkPolicy');

describe('who a client is', () => {
  test('is said by no network whose members could call themselves anybody', () => {
    const lists = manifests.flatMap(({ data }: Json) => data?.TRUSTED_PROXIES ?? []);
    expect(lists).toHaveLength(1);
    for (const TRUSTED_PROXIES of lists) {
      for (const proxy of parseHost({ TRUSTED_PROXIES }).TRUSTED_PROXIES) {
        expect(proxy).toMatch(isIPv6(proxy.replace(/\/.*/, '')) ? /^[^/]+(\/128)?$/ : /^[^/]+(\/32)?$/);
      }
    }
  });
});

describe('the way in', () => {
  const ingress = named('Ingress', 'ecommerce-api');

  test('is TLS, and there is no other', () => {
    for (const { spec } of services) expect(spec.type ?? 'ClusterIP').toBe('ClusterIP');
    const secured = ingress.spec.tls.flatMap(({ hosts }: Json) => hosts);
    for (const { host, http } of ingress.spec.rules) {
      expect(secured).toContain(host);
      for (const { backend } of http.paths) {
        const ports = named('Service', backend.service.name).spec.ports.map(({ name }: Json) => name);
        expect(ports).toContain(backend.service.port.name);
      }
    }
    expect(ingress.metadata.annotations).toMatchObject({ 'nginx.ingress.kubernetes.io/force-ssl-redirect': 'true' });
  });

  test.each([
    ['proxy-connect-timeout', 'proxy_connect_timeout'],
    ['proxy-send-timeout', 'proxy_send_timeout'],
    ['proxy-read-timeout', 'proxy_read_timeout'],
    ['client-max-body-size', 'client_max_body_size'],
  ])('has the %s of nginx.conf, for both controllers', (annotation, directive) => {
    const text = readFileSync(join(import.meta.dirname, '../../deploy/nginx.conf'), 'utf8');
    const value = new RegExp(`${directive} (\\w+);`).exec(text)?.[1];
    const { annotations } = ingress.metadata;
    expect(annotations[`nginx.org/${annotation}`]).toBe(value);
    const theirs = annotations[`nginx.ingress.kubernetes.io/${annotation.replace('client-max-', 'proxy-')}`];
    // Theirs are seconds without a unit.
    expect(annotation.endsWith('timeout') ? `${theirs}s` : theirs).toBe(value);
  });
});

describe('without an ingress controller', () => {
  const deployment = patched('Deployment', 'ecommerce-api');
  const [container] = deployment.spec.template.spec.containers;

  test.each([
    ['Deployment', deployment],
    ['Service', patched('Service', 'ecommerce-api')],
    ['NetworkPolicy', patched('NetworkPolicy', 'ecommerce-api')],
  ])('%s is as Kubernetes wants it', (_kind, manifest) => expect(checkManifest(manifest)).resolves.toBeUndefined());

  test('each replica speaks TLS itself, also with the kubelet, with the certificate that is mounted', () => {
    const set = Object.fromEntries(container.env.map(({ name, value }: Json) => [name, value]));
    for (const name of Object.keys(set)) expect(hostVariables().shape).toHaveProperty(name);
    const mount = container.volumeMounts.find(({ name }: Json) => name === 'tls');
    expect(parseHost({ ...named('ConfigMap', 'ecommerce-config').data, ...set })).toMatchObject({
      TLS_ENABLED: true,
      TLS_CERT_FILE: `${mount.mountPath}/tls.crt`,
      TLS_KEY_FILE: `${mount.mountPath}/tls.key`,
    });
    const volume = deployment.spec.template.spec.volumes.find(({ name }: Json) => name === 'tls');
    expect(volume.secret.secretName).toBe(named('Ingress', 'ecommerce-api').spec.tls[0].secretName);
    for (const probe of [container.livenessProbe, container.readinessProbe]) {
      expect(probe.httpGet).toMatchObject({ scheme: 'HTTPS', port: 'http' });
    }
    // What the patch does not speak of is as it was.
    expect(container.volumeMounts).toHaveLength(
      named('Deployment', 'ecommerce-api').spec.template.spec.volumes.length + 1,
    );
  });

  test('the load balancer has the port of TLS alone, and leaves the address of the client', () => {
    const { type, externalTrafficPolicy, ports } = patched('Service', 'ecommerce-api').spec;
    expect([type, externalTrafficPolicy]).toEqual(['LoadBalancer', 'Local']);
    expect(ports).toEqual([{ name: 'https', protocol: 'TCP', port: 443, targetPort: 'http' }]);
    expect(patched('NetworkPolicy', 'ecommerce-api').spec.ingress).toEqual([
      { ports: [{ protocol: 'TCP', port: 8080 }] },
    ]);
  });
});

describe('what the README prints', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../deploy/README.md'), 'utf8');
  const commands = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('');

  test('applies every manifest, from where it is', () => {
    const folder = join(import.meta.dirname, '../../deploy/kubernetes');
    const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
    for (const file of files) expect(commands).toContain(`-f deploy/kubernetes/${file.replace('.example', '')}`);
    for (const [, file = ''] of commands.matchAll(/-f (\S+\.yaml)/g)) {
      expect([
        ...files.map((name) => `deploy/kubernetes/${name}`),
        'deploy/kubernetes/secret.yaml',
        'deploy/compose.yaml',
      ]).toContain(file);
    }
    for (const kind of ['deployment', 'service', 'networkpolicy']) {
      expect(existsSync(join(folder, 'own-tls', `${kind}.yaml`))).toBe(true);
    }
    expect(commands).toContain('for kind in deployment service networkpolicy;');
  });

  test('builds the image from the file that there is, and names no secret on a command line', () => {
    expect(commands).toMatch(/^docker build -f deploy\/Dockerfile .*-t ecommerce-api:1\.0\.0 \.$/m);
    expect(commands).toMatch(/^docker run (.*\\\n)*.*--env-file shop\.env ecommerce-api:1\.0\.0$/m);
    expect(commands).not.toMatch(/ -e |METRICS_TOKEN" >/);
  });
});

describe('the policies', () => {
  test('say of every pod who reaches it and whom it reaches', () => {
    for (const { spec } of workloads) {
      const { app } = spec.template.metadata.labels;
      const policy = policies.find((it) => it.spec.podSelector.matchLabels.app === app);
      expect(policy?.spec.policyTypes, app).toEqual(['Ingress', 'Egress']);
      for (const { from } of policy.spec.ingress) expect(from.length).toBeGreaterThan(0);
    }
  });

  test.each([
    ['postgres-endpoint', [53, 53, 5432]],
    ['ecommerce-migrate', [53, 53, 5432]],
    ['redis-endpoint', []],
  ])('%s reaches these ports: %j', (name, ports) => {
    const rules: Json[] = named('NetworkPolicy', name).spec.egress;
    expect(rules.flatMap((rule) => rule.ports.map(({ port }: Json) => port))).toEqual(ports);
    const toAnyone = rules.filter(({ to }) => to === undefined).flatMap((rule) => rule.ports);
    expect(toAnyone).toEqual(ports.length === 0 ? [] : [{ protocol: 'TCP', port: 5432 }]);
  });

  test.each([
    ['203.0.113.9', true],
    ['2001:db8::1', true],
    ['10.1.2.3', false],
    ['100.64.0.1', false],
    ['172.16.0.1', false],
    ['172.31.255.254', false],
    ['192.168.1.1', false],
    ['169.254.169.254', false],
    ['fd00:ec2::254', false],
    ['fe80::1', false],
  ])('the API reaches %s: %s', (address, isReached) => {
    const rules: Json[] = named('NetworkPolicy', 'ecommerce-api').spec.egress;
    const blocks = rules.flatMap(({ to = [{}] }) => to.flatMap(({ ipBlock }: Json) => ipBlock ?? []));
    expect(blocks.some((block) => contains([block.cidr], address) && !contains(block.except, address))).toBe(isReached);
    for (const { to } of rules) expect(to.length).toBeGreaterThan(0);
  });

  function contains(networks: string[], address: string): boolean {
    const family = (ip: string) => (isIPv6(ip) ? 'ipv6' : 'ipv4');
    const list = new BlockList();
    for (const [base = '', bits] of networks.map((network) => network.split('/'))) {
      // To BlockList, ::/0 holds every IPv4 address as well.
      if (family(base) === family(address)) list.addSubnet(base, Number(bits), family(base));
    }
    return list.check(address, family(address));
  }
});
