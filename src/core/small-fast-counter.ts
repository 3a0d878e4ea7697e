/**
 * Numbers that look random and are the same on every machine, from a seed: sfc32 ("small fast counter", Chris
 * Doty-Humphrey, PractRand). Whole numbers only, so alike everywhere.
 */

/** Until the seed is in all bits, as its author has it. */
const WARM_UP_ROUNDS = 15;

export class SmallFastCounter {
  #a = 0;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed from 0 to 2^53 − 1 */
  constructor(seed: number) {
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = (seed % 2 ** 32) | 0;
    for (let i = 0; i < WARM_UP_ROUNDS; i += 1) this.#next();
  }

  /** In [0, bound), for a bound up to 2^21: the product is exact. */
  below(bound: number): number {
    return Math.floor((this.#next() * bound) / 2 ** 32);
  }

  /** 32 bits. */
  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11) | 0;
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }
}
