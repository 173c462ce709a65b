import { Presets, SingleBar } from 'cli-progress';
import type { Counts } from './error-rate.ts';
import type { Check } from './smoke.ts';

/** What a person at a terminal, or a reader of a CI log, sees of a deployment. */
export interface Report {
  step(name: string): void;
  checks(checks: readonly Check[]): void;
  stage(percent: number, counts: Counts, rate: number): void;
  fault(message: string): void;
  say(text: string): void;
  /** Waits `seconds`; a bar on a terminal. Throws the signal's reason when it is aborted. */
  pause(label: string, seconds: number, signal: AbortSignal): Promise<void>;
}

const TICK_MS = 250;

export function createReport(out: NodeJS.WriteStream): Report {
  const say = (text: string): void => void out.write(`${text}\n`);
  return {
    say,
    step: (name) => say(`\n== ${name}`),
    fault: (message) => say(`\n${message}`),
    checks: (checks) =>
      say(
        textTable(
          ['check', 'result', 'seen'],
          checks.map(({ name, isOk, seen }) => [name, isOk ? 'pass' : 'FAIL', seen]),
        ),
      ),
    stage: (percent, { requests, errors }, rate) =>
      say(
        textTable(
          ['traffic', 'requests', 'failed', 'failing more than usual'],
          [[`${percent} %`, requests, errors, `${(100 * rate).toFixed(2)} %`]],
        ),
      ),
    pause: (label, seconds, signal) => pause(out, label, seconds, signal),
  };
}

async function pause(out: NodeJS.WriteStream, label: string, seconds: number, signal: AbortSignal): Promise<void> {
  const format = `${label} {bar} {value}/{total} s`;
  const bar = out.isTTY
    ? new SingleBar({ format, stream: out, hideCursor: true, gracefulExit: false }, Presets.shades_grey)
    : null;
  if (bar === null) out.write(`${label} for ${seconds} s\n`);
  bar?.start(seconds, 0);
  const endsAt = Date.now() + seconds * 1_000;
  try {
    for (let leftMs = seconds * 1_000; leftMs > 0; leftMs = endsAt - Date.now()) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, Math.min(TICK_MS, leftMs)));
      bar?.update(Math.round(seconds - Math.max(endsAt - Date.now(), 0) / 1_000));
    }
    signal.throwIfAborted();
  } finally {
    bar?.stop();
  }
}

/** Columns of text, all to the left, under a header. */
export function textTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
