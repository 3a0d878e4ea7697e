/**
 * Blocks of shared memory that are used again and again. V8 does not count shared memory, so it would collect
 * what is no longer used late, or never.
 *
 * A block that is given back rests until this turn ends, and while all that has been asked for by then runs at its
 * end: somebody may still be reading a value in it. What a rush has needed beyond `FREE_BYTES_MAX` is left to the
 * collector after all, so that it is not held for good.
 */
import { allocSharedBytes, type Bytes } from "../../core/bytes.js";
import type { Clock } from "../../ports/clock.js";

/** Four times what is written between two checkpoints when the disk keeps up. */
const FREE_BYTES_MAX = 128 * 1024 * 1024;

export class BlockPool {
  readonly #clock: Clock;
  /** By size. */
  readonly #free = new Map<number, Bytes[]>();
  #given: Bytes[] = [];
  #resting: Bytes[] = [];
  #isScheduled = false;
  #freeBytes = 0;
  readonly #freeBytesMax: number;

  constructor(clock: Clock, freeBytesMax = FREE_BYTES_MAX) {
    this.#clock = clock;
    this.#freeBytesMax = freeBytesMax;
  }

  /** A block of this size, with any content. */
  take(sizeBytes: number): Bytes {
    const block = this.#free.get(sizeBytes)?.pop();
    if (block === undefined) return allocSharedBytes(sizeBytes);
    this.#freeBytes -= sizeBytes;
    return block;
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
    if (this.#freeBytes + block.length > this.#freeBytesMax) return;
    this.#freeBytes += block.length;
    const free = this.#free.get(block.length);
    if (free === undefined) this.#free.set(block.length, [block]);
    else free.push(block);
  }
}
