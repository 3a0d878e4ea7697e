/**
 * Cuts long work into slices, so that the event loop is never held for more than about two milliseconds:
 * `if (slices.isDue()) await slices.pause()`, as often as the work likes.
 */
import type { Clock } from "../ports/clock.js";

const SLICE_MS = 2;

export class TurnSlices {
  readonly #clock: Clock;
  #endMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + SLICE_MS;
  }

  /** Whether this slice has used its time. */
  isDue(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  /** Lets everything else of this turn run, and begins the next slice. */
  async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#clock.atTurnEnd(resolve);
    });
    this.#endMs = this.#clock.monotonicMs() + SLICE_MS;
  }
}
