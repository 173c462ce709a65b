import { type Buyer, order } from './buyers.ts';
import type { Answer, Client } from './client.ts';
import { handlesOf, type Stage } from './stage.ts';

const AT_ONCE = 8;

/** `reads` of products by a few clients, the buyers' orders spread evenly among them; every answer. */
export async function browseAndBuy(
  stage: Stage,
  { shop, client, buyers, reads }: { shop: URL; client: Client; buyers: readonly Buyer[]; reads: number },
): Promise<Answer[]> {
  const handles = await handlesOf(stage);
  const every = Math.max(1, Math.floor(reads / Math.max(1, buyers.length)));
  const answers: Answer[] = [];
  let next = 0;
  const lane = async () => {
    while (next < reads) {
      const n = next++;
      answers.push(await client.send(new URL(`/api/v1/products/${handles[n % handles.length]}`, shop)));
      const buyer = n % every === 0 ? buyers[n / every] : undefined;
      if (buyer !== undefined) answers.push(await order(client, shop, buyer));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return answers;
}
