import { readFileSync } from 'node:fs';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isPlainHop } from '../../src/platform/config/conflicts.ts';
import { backups } from './backups.ts';
import { faultsOf } from './bindings.ts';
import { type Check, fail, pass, skipped, type Verdict } from './check.ts';
import { type Deployment, isSetUnseen } from './deployment.ts';

const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS_MIN = 14;
const ENCRYPTED = new Set(['require', 'verify-ca', 'verify-full']);
const OWNERS = new Set(['postgres', 'neondb_owner', 'ecommerce_owner', 'root']);
const TOKEN_LENGTH_MIN = 16;

const SHOW = 'name the values in a file: --env-file FILE';
const unseen = (name: string): Verdict => skipped(`${name} is set at Cloudflare, its value cannot be read`, SHOW);

/** What is wrong with the variables of these names, by the rules that the Worker starts by. */
function faultOf(deployment: Deployment, ...names: string[]): Verdict | null {
  const faults = faultsOf(deployment).filter((fault) => names.includes(fault.split(' ', 1)[0] ?? ''));
  return faults.length > 0 ? fail(faults.join('; '), 'openssl rand -base64 32, another one for each') : null;
}

const jwtSecrets: Check = {
  id: 'jwt-secrets',
  title: 'Strong JWT secrets',
  run: (deployment) => {
    const all = ['JWT_ACCESS_SECRET', 'JWT_REFRESH_SECRET', 'ORDER_TOKEN_SECRET'];
    const faulty = faultOf(deployment, ...all, 'JWT_ROTATED_AT');
    if (faulty) return faulty;
    const hidden = all.filter((name) => isSetUnseen(deployment, name));
    const values = all.flatMap((name) => deployment.values[name] ?? []);
    if (new Set(values).size < values.length) {
      return fail('one secret serves for two', 'openssl rand -base64 32, another one for each');
    }
    return hidden.length > 0 ? unseen(hidden.join(', ')) : pass('three, each long, random and another');
  },
};

const databaseTls: Check = {
  id: 'database-tls',
  title: 'Database connections are encrypted',
  run: (deployment) => {
    const { values, environment } = deployment;
    const isHidden = isSetUnseen(deployment, 'DATABASE_URL');
    if (values['DATABASE_URL'] === undefined && !isHidden) return fail('no DATABASE_URL', 'set it');
    const plain = ['DATABASE_URL', 'MIGRATION_DATABASE_URL'].filter((name) => {
      const url = values[name];
      return url !== undefined && !ENCRYPTED.has(toUrl(url)?.searchParams.get('sslmode') ?? '');
    });
    // Of the Worker's own hop sslmode says nothing where it asks this address.
    const isPlainEndpoint = isPlainHop(values['DATABASE_ENDPOINT']);
    if (environment === 'dev' && plain.length > 0) {
      return skipped(`${plain.join(', ')} without sslmode, which a laptop may`);
    }
    if (plain.length > 0) {
      return fail(`${plain.join(', ')} without sslmode=require`, 'add ?sslmode=require, or verify-full with a CA');
    }
    if (isPlainEndpoint && environment !== 'dev') {
      return fail('DATABASE_ENDPOINT is http:// over a public network', 'use https://, or a private network');
    }
    return isHidden ? unseen('DATABASE_URL') : pass('sslmode is at least require');
  },
};

const databaseRole: Check = {
  id: 'database-role',
  title: 'The Worker is not the owner of its tables',
  run: (deployment) => {
    if (isSetUnseen(deployment, 'DATABASE_URL')) return unseen('DATABASE_URL');
    const user = toUrl(deployment.values['DATABASE_URL'])?.username ?? '';
    const owner = toUrl(deployment.values['MIGRATION_DATABASE_URL'])?.username;
    if (user !== '' && user !== owner && !OWNERS.has(user)) return pass(`it is ${user}`);
    return fail(`it is ${user === '' ? 'nobody' : user}`, 'use the restricted role ecommerce_app in DATABASE_URL');
  },
};

const redisPassword: Check = {
  id: 'redis-password',
  title: 'Redis asks for a password',
  run: (deployment) => {
    const { values, environment } = deployment;
    const redis = toUrl(values['REDIS_URL']?.replace(/^(?!.*:\/\/)/, 'redis://'));
    const password = values['REDIS_PASSWORD'] ?? redis?.password ?? '';
    if (redis && password.length < TOKEN_LENGTH_MIN) {
      return fail(
        `REDIS_URL with a password of ${password.length} characters`,
        'set REDIS_PASSWORD to what requirepass says in deploy/redis.conf: openssl rand -hex 32',
      );
    }
    if (environment !== 'dev' && isPlainHop(values['UPSTASH_REDIS_REST_URL'])) {
      return fail('UPSTASH_REDIS_REST_URL is http://, so the token travels readable', 'use https://');
    }
    const faulty = faultOf(deployment, 'REDIS_PASSWORD', 'UPSTASH_REDIS_REST_TOKEN');
    if (faulty) return { ...faulty, remedy: 'openssl rand -hex 32' };
    if (isSetUnseen(deployment, 'UPSTASH_REDIS_REST_TOKEN')) return unseen('UPSTASH_REDIS_REST_TOKEN');
    return pass(redis ? 'a token in front, a password behind' : 'a token');
  },
};

const rateLimits: Check = {
  id: 'rate-limits',
  title: 'Rate limits are on',
  run: ({ values }) =>
    values['RATE_LIMIT_ENABLED'] === 'false'
      ? fail('RATE_LIMIT_ENABLED is false', 'remove it, or set it to true')
      : pass(
          `${values['RATE_LIMIT_PUBLIC'] ?? 100} and ${values['RATE_LIMIT_AUTHENTICATED'] ?? 500} requests a window`,
        ),
};

const cors: Check = {
  id: 'cors',
  title: 'CORS origins are listed',
  run: (deployment) => {
    if (isSetUnseen(deployment, 'ALLOWED_ORIGINS')) return unseen('ALLOWED_ORIGINS');
    const { values, environment } = deployment;
    const origins = [values['ALLOWED_ORIGINS'], values['CREDENTIAL_ORIGINS']].flatMap((list) => list?.split(',') ?? []);
    const listed = origins.map((origin) => origin.trim()).filter((origin) => origin !== '');
    const faulty = faultOf(deployment, 'ALLOWED_ORIGINS', 'CREDENTIAL_ORIGINS');
    if (faulty) return { ...faulty, remedy: 'ALLOWED_ORIGINS=https://shop.example,https://admin.example' };
    if (listed.length === 0)
      return fail('none: no browser may read a reply', 'list the origins of the shop in ALLOWED_ORIGINS');
    const open = environment === 'dev' ? [] : listed.filter((origin) => !origin.startsWith('https://'));
    return open.length > 0
      ? fail(`${open.join(', ')} is not https`, 'list https origins only')
      : pass(listed.join(', '));
  },
};

const metricsToken: Check = {
  id: 'metrics-token',
  title: 'Prometheus has a token',
  run: (deployment) => {
    if (isSetUnseen(deployment, 'METRICS_TOKEN')) return pass('METRICS_TOKEN is set at Cloudflare');
    const remedy = 'openssl rand -hex 32, as METRICS_TOKEN here and in the file that prometheus.yml names';
    if (deployment.values['METRICS_TOKEN'] === undefined) return fail('no METRICS_TOKEN', remedy);
    const faulty = faultOf(deployment, 'METRICS_TOKEN');
    return faulty ? { ...faulty, remedy } : pass('METRICS_TOKEN');
  },
};

const logs: Check = {
  id: 'logs',
  title: 'Logs are lines of JSON that somebody keeps',
  run: ({ values, environment, keepsLogs }) => {
    if (environment === 'dev') return skipped('on a laptop they are for people');
    const { LOG_FORMAT: format = 'json', LOG_LEVEL: level = 'info', LOG_OUTPUT: output } = values;
    if (format !== 'json') return fail(`LOG_FORMAT is ${format}`, 'remove it, or set it to json');
    if (!['info', 'debug'].includes(level))
      return fail(`LOG_LEVEL is ${level}: requests leave no line`, 'set it to info');
    if (output === undefined && !keepsLogs) return fail('Workers Logs are off', '[observability] enabled = true');
    return pass(output === undefined ? 'Workers Logs' : `LOG_OUTPUT is ${output}`);
  },
};

const clock: Check = {
  id: 'cron',
  title: 'The clockwork is wound',
  run: ({ values, environment, crons }) => {
    if (environment === 'dev') return skipped('npm run dev ticks by itself');
    const seconds = values['TICK_INTERVAL'];
    if (crons.length === 0 && seconds === undefined) return fail('no cron', 'triggers = { crons = ["* * * * *"] }');
    return pass(`${crons.join(', ')}${seconds === undefined ? '' : `; every ${seconds} s when self-hosted`}`);
  },
};

/** Only where the process itself ends TLS; the live check looks at what is really served. */
const certificate: Check = {
  id: 'certificate',
  title: 'The certificate file fits its key and is good for two weeks more',
  run: ({ values, now }) => {
    if (values['TLS_ENABLED'] !== 'true') return skipped('TLS ends in front: Cloudflare, nginx');
    const { TLS_CERT_FILE: file = '', TLS_KEY_FILE: key = '' } = values;
    const read = new X509Certificate(readFileSync(file));
    if (!read.checkPrivateKey(createPrivateKey(readFileSync(key)))) return fail('it is for another key', 'pair them');
    const days = Math.floor((Date.parse(read.validTo) - now().getTime()) / DAY_MS);
    return days < CERTIFICATE_DAYS_MIN ? fail(`${days} days are left`, 'renew it') : pass(`${days} days are left`);
  },
};

function toUrl(text: string | undefined): URL | null {
  return text !== undefined && URL.canParse(text) ? new URL(text) : null;
}

export const settingChecks: readonly Check[] = [
  jwtSecrets,
  certificate,
  databaseTls,
  databaseRole,
  redisPassword,
  rateLimits,
  cors,
  metricsToken,
  logs,
  clock,
  backups,
];
