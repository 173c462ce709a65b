// What tracing costs a read, off and on, in CPU of workerd: node bench/trace-cost.ts (Linux, since it reads /proc)
import { readFileSync, readdirSync } from 'node:fs';
import { type LoadOptions, load } from './load.ts';
import { startShop } from './shop.ts';
import { median, table } from './table.ts';
import { startTraceReceiver } from './trace-receiver.ts';
import type { Workers } from './workerd.ts';

const ROUNDS = 5;
const LOAD: LoadOptions = { connections: 16, warmUpMs: 500, durationMs: 2_500 };
/** USER_HZ, which Linux fixes for what /proc shows. */
const TICKS_PER_S = 100;
const PATHS = ['/health/live', '/api/v1/markets'];

interface Subject {
  name: string;
  shop: Workers;
  pid: string;
}

const receiver = await startTraceReceiver();
const settings: [name: string, env: Record<string, string>][] = [
  ['off', {}],
  ['on, 10 % sampled', { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url, TRACING_SAMPLING_RATE: '0.1' }],
  ['on, all sampled', { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url, TRACING_SAMPLING_RATE: '1' }],
];
const subjects: Subject[] = [];
try {
  for (const [name, env] of settings) {
    const known = new Set(workerdPids());
    const shop = await startShop(50, { env });
    subjects.push({ name, shop, pid: workerdPids().find((pid) => !known.has(pid)) ?? '' });
  }
  const rows: string[][] = [];
  for (const path of PATHS) {
    const costs = await costsOf(path);
    const off = median(costs.get('off') ?? []);
    for (const [name, costUs] of costs) {
      rows.push([path, name, median(costUs).toFixed(0), (median(costUs) - off).toFixed(0)]);
    }
  }
  console.log(table(['GET', 'tracing', 'CPU us/request', 'more than off'], rows));
  console.log(
    `(medians of ${ROUNDS} rounds in turn, ${LOAD.connections} connections; CPU of the whole workerd process)`,
  );
} finally {
  for (const { shop } of subjects) await shop.close();
  await receiver.close();
}

/** Microseconds of CPU a request by setting, one number a round. */
async function costsOf(path: string): Promise<Map<string, number[]>> {
  const costs = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, shop, pid } of subjects) {
      const url = new URL(path, shop.shop);
      let requests = 0;
      const before = cpuSeconds(pid);
      await load(() => {
        requests += 1;
        return url;
      }, LOAD);
      costs.get(name)?.push((1e6 * (cpuSeconds(pid) - before)) / requests);
    }
  }
  return costs;
}

/** The workerd processes that this one started. */
function workerdPids(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const { name, parent } = statOf(pid);
    return name.startsWith('workerd') && parent === String(process.pid);
  });
}

function cpuSeconds(pid: string): number {
  const { userTicks, systemTicks } = statOf(pid);
  return (userTicks + systemTicks) / TICKS_PER_S;
}

/** Fields of proc_pid_stat(5); a process that ended meanwhile has none. */
function statOf(pid: string): { name: string; parent: string; userTicks: number; systemTicks: number } {
  let stat = '';
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended between the listing and the reading.
  }
  const name = /\((.*)\)/.exec(stat)?.[1] ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { name, parent: fields[1] ?? '', userTicks: Number(fields[11]), systemTicks: Number(fields[12]) };
}
