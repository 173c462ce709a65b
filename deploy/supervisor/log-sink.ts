import { close, open, write } from 'node:fs';
import { promisify } from 'node:util';

const [closeFile, openFile] = [promisify(close), promisify(open)];
/** What may wait for a sink that takes nothing; what comes on top is counted and dropped, for memory has an end. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const BUSY_RETRY_MS = 10;
const FAULT_RETRY_MS = 1_000;
const END_TIMEOUT_MS = 5_000;
const STREAMS = new Map([
  ['stdout', 1],
  ['stderr', 2],
]);

export interface LogSink {
  /** Takes one line, without its break, and returns at once. Lines are written whole and in order. */
  write(line: string): void;
  /** Opens the file anew, after logrotate has moved it: a line is in the old file or in the new one, never in both. */
  reopen(): Promise<void>;
  /** Resolves when everything is written, or after five seconds in vain. */
  end(): Promise<void>;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Append only, and not for others to read: request ids and paths are in it. */
const openLog = (path: string): Promise<number> => openFile(path, 'a', 0o640);

/** One write: resolves to the bytes that were taken, or to the code of the refusal. */
function writeSome(fd: number, bytes: Buffer): Promise<number | string> {
  return new Promise((resolve) => {
    write(fd, bytes, (error, written) => resolve(error === null ? written : (error.code ?? 'unknown')));
  });
}

/** All of it, however long a full disk makes that; false when nobody will ever read it. */
async function writeAll(fd: number, bytes: Buffer): Promise<boolean> {
  let rest = bytes;
  while (rest.length > 0) {
    const outcome = await writeSome(fd, rest);
    if (outcome === 'EPIPE') return false;
    if (typeof outcome === 'number') rest = rest.subarray(outcome);
    else await pause(outcome === 'EAGAIN' ? BUSY_RETRY_MS : FAULT_RETRY_MS);
  }
  return true;
}

/**
 * LOG_OUTPUT: `stdout`, `stderr` or the path of a file, which is made when absent. Rejects when it cannot be opened.
 * Writes are asynchronous, so that a reader that stands still holds up no request. `says` makes the line that reports
 * how many were dropped.
 */
export async function openLogSink(output: string, says: (lost: number) => string): Promise<LogSink> {
  const stream = STREAMS.get(output);
  let fd = stream ?? (await openLog(output));
  let waiting: string[] = [];
  let waitingBytes = 0;
  let lost = 0;
  let isScheduled = false;
  // Batches and reopenings take turns.
  let turn: Promise<void> = Promise.resolve();

  const writeBatch = async (): Promise<void> => {
    isScheduled = false;
    const report = lost > 0 ? [says(lost)] : [];
    const [lines, lostBefore] = [waiting.length, lost];
    const bytes = Buffer.from([...waiting, ...report, ''].join('\n'));
    waiting = [];
    lost = 0;
    const isWritten = await writeAll(fd, bytes);
    waitingBytes = Math.max(0, waitingBytes - bytes.length);
    if (!isWritten) lost += lines + lostBefore;
  };

  const reopenAfter = async (before: Promise<void>): Promise<void> => {
    await before;
    const old = fd;
    fd = await openLog(output);
    await closeFile(old);
  };

  return {
    write(line) {
      const bytes = Buffer.byteLength(line) + 1;
      if (waitingBytes + bytes > WAITING_BYTES_MAX) {
        lost += 1;
        return;
      }
      waiting.push(line);
      waitingBytes += bytes;
      if (isScheduled) return;
      isScheduled = true;
      turn = turn.then(writeBatch);
    },
    reopen() {
      if (stream !== undefined) return Promise.resolve();
      const reopened = reopenAfter(turn);
      turn = reopened.catch(() => undefined);
      return reopened;
    },
    async end() {
      await Promise.race([turn, pause(END_TIMEOUT_MS)]);
    },
  };
}
