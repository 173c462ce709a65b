import { readFileSync, readdirSync } from 'node:fs';

/** USER_HZ, which Linux fixes for what /proc shows. */
const TICKS_PER_S = 100;

/** The workerd processes that this one started. Linux only, since it reads /proc. */
export function workerdPids(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const { name, parent } = statOf(pid);
    return name.startsWith('workerd') && parent === String(process.pid);
  });
}

/** Seconds of CPU that all threads of a process have used, in user and in kernel mode. */
export function cpuSeconds(pid: string): number {
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
