import * as z from 'zod';

export interface Inspector {
  /** Calls a method of the Chrome DevTools Protocol and answers its result. */
  send(method: string): Promise<unknown>;
  close(): void;
}

const Targets = z.array(z.object({ id: z.string(), webSocketDebuggerUrl: z.string() }));
const Message = z.object({
  id: z.number().optional(),
  result: z.unknown(),
  error: z.object({ message: z.string() }).optional(),
});

/** Connects to the isolate of the named Worker. */
export async function connectInspector(address: URL | null, worker: string): Promise<Inspector> {
  if (address === null) throw new Error('workerd runs without an inspector');
  const list = new URL('/json', address);
  list.protocol = 'http:';
  const targets = Targets.parse(await (await fetch(list)).json());
  const target = targets.find(({ id }) => id.endsWith(worker));
  if (target === undefined) throw new Error(`no isolate of ${worker} among ${targets.map(({ id }) => id).join(', ')}`);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = Message.parse(JSON.parse(String(data)));
    if (id === undefined) return;
    if (error) waiting.get(id)?.reject(new Error(error.message));
    else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  let calls = 0;
  return {
    send(method) {
      calls += 1;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(calls, answer);
      socket.send(JSON.stringify({ id: calls, method }));
      return answer.promise;
    },
    close: () => socket.close(),
  };
}
