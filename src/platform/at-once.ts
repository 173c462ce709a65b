/** One slow peer must not hold up the others; a Worker has six connections at a time. */
const AT_ONCE = 5;

/** Works through all items, five at a time; a rejection is handed to `failed` with its item and stops nothing. */
export async function forEachAtOnce<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
  failed: (item: Item, error: unknown) => void,
): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      const current = item;
      await work(current).catch((error: unknown) => failed(current, error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
