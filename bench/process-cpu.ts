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

/** The same of the server that this process started under that name, and of its children, also of those that have ended. */
export function serverCpuSeconds(name: string): number {
  const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && statOf(pid).name === name);
  const servers = pids.filter((pid) => statOf(pid).parent === String(process.pid));
  const theirs = pids.filter((pid) => servers.includes(statOf(pid).parent));
  const ended = servers.reduce((sum, pid) => sum + statOf(pid).childTicks, 0) / TICKS_PER_S;
  return [...servers, ...theirs].reduce((sum, pid) => sum + cpuSeconds(pid), ended);
}

/** Fields of proc_pid_stat(5); a process that ended meanwhile has none. */
function statOf(pid: string) {
  let stat = '';
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // It ended between the listing and the reading.
  }
  const name = /\((.*)\)/.exec(stat)?.[1] ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    name,
    parent: fields[1] ?? '',
    userTicks: Number(fields[11]),
    systemTicks: Number(fields[12]),
    /** Of children that were waited for. */
    childTicks: Number(fields[13]) + Number(fields[14]),
  };
}
