/**
 * Blocks of shared memory that are used again and again. V8 does not count shared memory, so it would collect
 * what is no longer used late, or never.
 *
 * A block that is given back rests until the next turn has ended: somebody may still be reading a value in it.
 */
import { allocSharedBytes, type Bytes } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";

export class BlockPool {
  readonly #clock: Clock;
  /** By size. */
  readonly #free = new Map<number, Bytes[]>();
  #given: Bytes[] = [];
  #resting: Bytes[] = [];
  #isScheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A block of this size, with any content. */
  take(sizeBytes: number): Bytes {
    return this.#free.get(sizeBytes)?.pop() ?? allocSharedBytes(sizeBytes);
  }

  /** Takes blocks back that came from here. */
  give(blocks: readonly Bytes[]): void {
    for (const block of blocks) this.#given.push(block);
    if (blocks.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.atTurnEnd(() => {
      this.#isScheduled = false;
      for (const block of this.#resting) this.#putBack(block);
      this.#resting = this.#given;
      this.#given = [];
      if (this.#resting.length > 0) this.#schedule();
    });
  }

  #putBack(block: Bytes): void {
    const free = this.#free.get(block.length);
    if (free === undefined) this.#free.set(block.length, [block]);
    else free.push(block);
  }
}
