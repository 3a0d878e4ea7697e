/** Randomness that a seed replays. */
import type { Random } from "../../src/ports/random.js";

/** Mulberry32: small, good enough, and the same everywhere. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  id48(): number {
    return this.below(2 ** 24) * 2 ** 24 + this.below(2 ** 24);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** A stream of its own, so that what it is asked for disturbs nobody else's. */
  fork(): SeededRandom {
    return new SeededRandom(this.below(2 ** 32));
  }

  /** `choices` in random order. */
  shuffled<T>(choices: readonly T[]): T[] {
    const left = [...choices];
    const result: T[] = [];
    while (left.length > 0) result.push(...left.splice(this.below(left.length), 1));
    return result;
  }
}
