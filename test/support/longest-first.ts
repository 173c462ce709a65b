import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A minute or more each: begun last, they would leave the other core without work. */
const LONG = [
  'faults/order-path',
  'contract/bad-input',
  'contract/idempotency',
  'payments/stripe-orders',
  'model/walks',
  'faults/sigkill',
  'faults/mutations',
  'inventory/oversell',
  'security/matrix',
  'identity/families',
  'production/doctor',
];

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return rank === -1 ? LONG.length : rank;
}

/** The long files first, the others as vitest has them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}
