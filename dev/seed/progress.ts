import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a plain line at each quarter. */
export function seedProgress(stream: NodeJS.WriteStream = process.stdout): Progress {
  if (!stream.isTTY) return plainProgress(stream);
  const format = 'Seeding the demo shop {bar} {value}/{total} products';
  const bar = new SingleBar({ format, stream, hideCursor: true, gracefulExit: false }, Presets.shades_grey);
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, 0);
      started = true;
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

function plainProgress(stream: NodeJS.WriteStream): Progress {
  let quarter = 0;
  return {
    update(done, total) {
      const reached = Math.floor((4 * done) / total);
      if (reached === quarter) return;
      quarter = reached;
      stream.write(`Seeding the demo shop: ${done} of ${total} products\n`);
    },
    stop: () => undefined,
  };
}
