import { randomInt } from 'node:crypto';

/** Another one in each run; WALK_SEED takes one again. It is in the output of every run, also of one that passes. */
export function walkSeed(name: string): number {
  const given = process.env['WALK_SEED'];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  console.log(`${name}: WALK_SEED=${seed}`);
  return seed;
}
