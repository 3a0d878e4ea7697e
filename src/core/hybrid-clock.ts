/**
 * The clock that says which of two writes is the later: a hybrid logical clock (Kulkarni, Demirbas, Madappa, Avva,
 * Leone, "Logical Physical Clocks", 2014). It follows the wall clock as far as that goes forward, and counts where
 * that stands still or goes back.
 *
 * ```
 *   stamp = milliseconds since 2020 × 4,096 + count         an exact number until September 2089
 * ```
 * The paper's two fields are one number here: a count that is full goes over into the milliseconds, and two stamps
 * compare as numbers do.
 *
 * Invariant: a stamp is later than every one before it of the same clock, and than everything that the clock was told
 * of. Except what is from further ahead than `AHEAD_MAX_MS`: who must be later than such a stamp gets one that is, and
 * the clock stays where it was. So a wrong clock spoils the stamps of what it wrote, and no others.
 */
import { MinikeyError } from "./errors.js";

declare const stampBrand: unique symbol;

/** A time of a hybrid clock. 0: none, earlier than all others. */
export type Stamp = number & { readonly [stampBrand]: "Stamp" };

export const NO_STAMP = 0 as Stamp;

/** 2020-01-01T00:00Z in milliseconds since 1970. */
const EPOCH_MS = 1_577_836_800_000;
const STAMPS_PER_MS = 4096;

/** The latest that there may be. */
export const STAMP_MAX = (2 ** 53 - 2 ** 40) as Stamp;
/** The latest that a wall clock gives: as many writes can still be stamped after it. */
export const WALL_STAMP_MAX = (STAMP_MAX - 2 ** 40) as Stamp;

/** Stamps from further ahead than this do not carry a clock along. */
export const AHEAD_MAX_MS = 1000;

/** The first stamp of that millisecond since 1970; the first of all for what was before 2020. */
export function stampAt(wallMs: number): Stamp {
  const stamp = (Math.floor(wallMs) - EPOCH_MS) * STAMPS_PER_MS;
  return Math.min(Math.max(stamp, 1), WALL_STAMP_MAX) as Stamp;
}

/** In milliseconds since 1970; 0 for no stamp. */
export function msOf(stamp: Stamp): number {
  return stamp === NO_STAMP ? 0 : EPOCH_MS + Math.floor(stamp / STAMPS_PER_MS);
}

export function isStamp(value: number): value is Stamp {
  return Number.isInteger(value) && value >= 0 && value <= STAMP_MAX;
}

export const laterStamp = (a: Stamp, b: Stamp): Stamp => (a < b ? b : a);

/** One a node: the stamps of all that it writes come from the same. */
export class HybridClock {
  #last: Stamp = NO_STAMP;

  /** The latest that was given out or taken along. */
  get last(): Stamp {
    return this.#last;
  }

  /** The next stamp, at `nowMs` of the wall clock; later than `after`, however far ahead that is. */
  next(nowMs: number, after: Stamp): Stamp {
    const own = Math.max(stampAt(nowMs), this.#last + 1) as Stamp;
    if (own > STAMP_MAX) throw endOfTime();
    if (after < own) {
      this.#last = own;
      return own;
    }
    const stamp = (after + 1) as Stamp;
    if (stamp > STAMP_MAX) throw endOfTime();
    this.observe(stamp, nowMs);
    return stamp;
  }

  /** Takes a stamp of another along. False: it is from too far ahead, and was not. */
  observe(stamp: Stamp, nowMs: number): boolean {
    if (stamp <= this.#last) return true;
    if (stamp > stampAt(nowMs + AHEAD_MAX_MS)) return false;
    this.#last = stamp;
    return true;
  }

  /** After a restart: goes on after `stamp`, which was this clock's own. */
  resumeAt(stamp: Stamp): void {
    this.#last = laterStamp(this.#last, stamp);
  }
}

function endOfTime(): MinikeyError {
  return new MinikeyError("OUT_OF_RANGE", "there is no later stamp: a clock has been decades ahead");
}
