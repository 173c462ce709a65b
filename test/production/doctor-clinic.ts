import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { parse } from 'yaml';
import type { Deployment } from '../../dev/doctor/deployment.ts';
import { OBSERVABILITY } from '../observability/programs.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  type Answers,
  type Certificate,
  type Front,
  makeCertificate,
  startAnswers,
  startFront,
} from './doctor-fixture.ts';

const ORIGIN = 'https://shop.example.test';
export const FOLDER = mkdtempSync(join(tmpdir(), 'doctor-'));
/** As the backup scripts write a time so many days ago. */
const stampOf = (daysAgo: number) =>
  new Date(Date.now() - daysAgo * 86_400_000).toISOString().replace(/[-:]|\.\d+/g, '');
const DUMP_NAME = `backup-${stampOf(0)}`;
export const DUMP = join(FOLDER, `${DUMP_NAME}.dump`);
export const DUMP_SUM = join(FOLDER, `${DUMP_NAME}.sha256`);
export const OTHER_KEY = join(FOLDER, 'other-key.pem');
export const ROOTS = getCACertificates('default');

const jsonIn = (sub: string) => readdirSync(join(OBSERVABILITY, sub)).map((name) => join(OBSERVABILITY, sub, name));
export const ALERTS = jsonIn('rules').flatMap((file) =>
  (parse(readFileSync(file, 'utf8')) as { groups: { rules: { alert?: string }[] }[] }).groups.flatMap(({ rules }) =>
    rules.flatMap(({ alert }) => alert ?? []),
  ),
);
const ofPrometheus = () => ({
  '/api/v1/targets': { data: { activeTargets: [{ labels: { job: 'ecommerce-api' }, health: 'up', lastError: '' }] } },
  '/api/v1/rules': { data: { groups: [{ rules: ALERTS.map((name) => ({ name })) }] } },
  '/api/v1/alertmanagers': { data: { activeAlertmanagers: [{ url: 'http://alertmanager:9093' }] } },
});
const ofGrafana = () => ({
  '/api/search': jsonIn('dashboards').map((file) => ({ uid: JSON.parse(readFileSync(file, 'utf8')).uid as string })),
});
const BRANCH = 'br-shop';
/** Of the shop's branch, with a backup so many days old each. */
export const ofNeon = (...daysAgo: number[]) => ({
  '/projects/shop-1/branches': {
    branches: [BRANCH, ...daysAgo.map((days) => `backup-${BRANCH}-${stampOf(days)}`)].map((name) => ({ name })),
  },
});

/** A shop behind TLS with somebody to watch it, and what the doctor knows of it. */
export interface Clinic {
  stack: Stack;
  front: Front;
  certificate: Certificate;
  prometheus: Answers;
  grafana: Answers;
  neon: Answers;
  /** With nothing wrong but these; values that are '' are not there. */
  deployment(values?: Record<string, string>, changes?: Partial<Deployment>): Deployment;
  /** Takes back what a test broke. */
  heal(): void;
  /** The last one is news for three minutes, which a slow machine needs for what comes before. */
  tick(): Promise<unknown>;
  close(): Promise<void>;
}

export async function startClinic(): Promise<Clinic> {
  const certificate = makeCertificate(FOLDER, 'shop', 90);
  makeCertificate(FOLDER, 'other', 90);
  const noTestPayments = { PAYMENT_TEST_URL: '', PAYMENT_TEST_SECRET: '', PAYMENT_TEST_WEBHOOK_SECRET: '' };
  const build = { SERVICE_VERSION: '1.2.3', BUILD_TIME: '2026-11-22T09:30:00Z', ALLOWED_ORIGINS: ORIGIN };
  const stack = await startStack({
    env: { ENVIRONMENT: 'production', LOG_LEVEL: 'info', ...noTestPayments, ...build },
  });
  const front = await startFront(stack.url, certificate);
  const prometheus = await startAnswers(ofPrometheus());
  const grafana = await startAnswers(ofGrafana());
  const neon = await startAnswers(ofNeon(0));
  const onNeon = {
    NEON_API_URL: neon.url,
    NEON_API_KEY: 'napi_key',
    NEON_PROJECT_ID: 'shop-1',
    NEON_BRANCH_ID: BRANCH,
  };
  const tls = { TLS_ENABLED: 'true', TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile };
  const known = { ...stack.bindings, ...tls, ...onNeon, BACKUP_DIR: FOLDER };
  const heal = () => {
    setDefaultCACertificates([...ROOTS, certificate.cert]);
    for (const name of readdirSync(FOLDER)) if (name.endsWith('.dump')) rmSync(join(FOLDER, name));
    writeFileSync(DUMP, 'a dump');
    writeFileSync(DUMP_SUM, execFileSync('sha256sum', [`${DUMP_NAME}.dump`], { cwd: FOLDER }));
    front.mangle = null;
    prometheus.replies = ofPrometheus();
    grafana.replies = ofGrafana();
    neon.replies = ofNeon(0);
  };
  const tick = () => stack.worker.scheduled({ cron: '* * * * *' });
  heal();
  await tick();
  return {
    stack,
    front,
    certificate,
    prometheus,
    grafana,
    neon,
    heal,
    tick,
    deployment: (values = {}, changes = {}) => ({
      environment: 'production',
      values: Object.fromEntries(Object.entries({ ...known, ...values }).filter(([, value]) => value !== '')),
      vars: ['ENVIRONMENT', 'TRUSTED_IP_HEADER'],
      inFile: ['POSTGRES_PASSWORD'],
      secrets: null,
      crons: ['* * * * *'],
      keepsLogs: true,
      url: front.url,
      prometheusUrl: prometheus.url,
      grafanaUrl: grafana.url,
      now: () => new Date(),
      patienceMs: 0,
      ...changes,
    }),
    async close() {
      setDefaultCACertificates(ROOTS);
      for (const part of [neon, grafana, prometheus, front, stack]) await part.close();
      rmSync(FOLDER, { recursive: true });
    },
  };
}
