import assert from 'node:assert/strict';
import fc from 'fast-check';
import type pg from 'pg';
import type { Session } from '../security/cast.ts';
import { jwt, partsOf } from '../security/tokens.ts';

/** Seconds in which a spent token still answers its successor. */
const GRACE_S = 10;

/** Through which a family is played: the Worker, or the rules and the database alone. */
export interface Door {
  owner: pg.Pool;
  /** What refresh tokens are signed with. */
  secret: string;
  refresh(token: string): Promise<{ status: number; successor: string | null }>;
  logout(token: string): Promise<number>;
}

export const LONG_S = 60;
/** How long a step may take before the family is set back to the age that it should have. */
const SLACK_MS = 2_000;

/** `back` counts from the latest generation: 0 is the latest, 1 the one before, 2 and more are older. */
export type Step =
  | { kind: 'refresh'; back: number; times: number }
  | { kind: 'race'; backs: number[] }
  | { kind: 'logout'; back: number }
  | { kind: 'revoke' }
  | { kind: 'age'; seconds: number };

const back = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.constant(1) }, fc.nat(4));
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('refresh' as const), back, times: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('race' as const), backs: fc.array(back, { minLength: 2, maxLength: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('logout' as const), back }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'revoke' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('age' as const), seconds: fc.constantFrom(0.5, 1, GRACE_S + 1) }),
  },
);

/** What the rules say of one family. */
interface Model {
  generation: number;
  ended: boolean;
  /** Whether the latest rotation is older than the grace window. */
  late: boolean;
}

/** What one refresh has to answer, and what it makes of the family. */
function expectRefresh(model: Model, generation: number): 200 | 401 {
  if (model.ended) return 401;
  if (generation === model.generation) {
    Object.assign(model, { generation: generation + 1, late: false });
    return 200;
  }
  if (generation === model.generation - 1 && !model.late) return 200;
  model.ended = true;
  return 401;
}

/** Plays a family against the Worker; every token that was ever seen of it is known by its generation. */
export class Family {
  readonly #door: Door;
  readonly #session: Session;
  readonly #tokens: string[];
  readonly #model: Model = { generation: 1, ended: false, late: false };
  #ageS = 0;
  #setAtMs = Date.now();

  constructor(door: Door, session: Session) {
    this.#door = door;
    this.#session = session;
    this.#tokens = ['', session.refreshToken];
  }

  async take(one: Step): Promise<void> {
    // Only the steps age a family, however long they take.
    if (Date.now() - this.#setAtMs > SLACK_MS) await this.#age(0);
    switch (one.kind) {
      case 'refresh':
        for (let time = 0; time < one.times; time += 1) await this.#race([one.back + time]);
        return;
      case 'race':
        return await this.#race(one.backs);
      case 'logout':
        assert.equal(await this.#door.logout(this.#tokens[this.#generation(one.back)] ?? ''), 204);
        this.#model.ended = true;
        return;
      case 'revoke':
        await this.#door.owner.query(REVOKE, [this.#session.accountId]);
        this.#model.ended = true;
        return;
      case 'age':
        return await this.#age(one.seconds);
    }
  }

  /** What is left when nothing is young any more: the latest token of a live family, and no other of any. */
  async end(): Promise<void> {
    const { ended, generation: latest } = this.#model;
    await this.#age(LONG_S);
    if (ended) {
      for (const token of this.#tokens.slice(1)) await this.#assertRefused(token);
      return;
    }
    await this.#race([0]);
    assert.deepEqual(this.#model, { generation: latest + 1, ended: false, late: false });
    await this.#age(LONG_S);
    for (const token of this.#tokens.slice(1, -1)) {
      await this.#assertRefused(token);
      const { rows } = await this.#door.owner.query(REOPEN, [this.#session.sessionId]);
      assert.equal(rows.length, 1, 'a spent token that came back has ended the family');
    }
    assert.equal((await this.#door.refresh(this.#tokens.at(-1) ?? '')).status, 200);
  }

  async #assertRefused(token: string): Promise<void> {
    assert.equal((await this.#door.refresh(token)).status, 401);
  }

  #generation(steps: number): number {
    return Math.max(1, this.#model.generation - steps);
  }

  /** All at once, in whatever order they arrive: some order of them has to explain what was answered. */
  async #race(backs: readonly number[]): Promise<void> {
    const before = { ...this.#model };
    const generations = backs.map((each) => this.#generation(each));
    const answers = await Promise.all(generations.map((each) => this.#door.refresh(this.#tokens[each] ?? '')));
    const asked = generations.map((generation, at) => ({ generation, status: answers[at]?.status }));
    const explained = orders(asked).flatMap((order) => {
      const model = { ...before };
      return order.every(({ generation, status }) => expectRefresh(model, generation) === status) ? [model] : [];
    });
    assert.notEqual(explained.length, 0, `no order explains ${JSON.stringify([before, asked])}`);
    Object.assign(this.#model, explained[0]);
    if (this.#model.generation !== before.generation) [this.#ageS, this.#setAtMs] = [0, Date.now()];
    for (const { successor } of answers) if (successor !== null) this.#note(successor);
  }

  /** A generation is one token, whoever is given it and however often. */
  #note(successor: string): void {
    const { claims } = partsOf(successor);
    assert.equal(claims.sid, this.#session.sessionId);
    assert.equal(this.#tokens[claims.gen] ?? successor, successor);
    this.#tokens[claims.gen] = successor;
  }

  /** A token is minted from its row, so the latest one of an older rotation is another text. */
  async #age(seconds: number): Promise<void> {
    this.#ageS += seconds;
    this.#setAtMs = Date.now();
    if (this.#ageS > GRACE_S) this.#model.late = true;
    const { rows } = await this.#door.owner.query(AGE, [this.#session.sessionId, this.#ageS]);
    const { header, claims } = partsOf(this.#tokens[this.#model.generation] ?? '');
    this.#tokens[this.#model.generation] = jwt(header, { ...claims, iat: rows[0].rotated }, this.#door.secret);
  }
}

const REVOKE = 'update sessions set revoked_at = now() where account_id = $1 and revoked_at is null';
const REOPEN = `update sessions set revoked_at = null, reused_at = null
  where id = $1 and revoked_at is not null and reused_at is not null returning id`;
export const AGE = `update sessions set rotated_at = clock_timestamp() - make_interval(secs => $2) where id = $1
  returning floor(extract(epoch from rotated_at))::int as rotated`;

function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}
