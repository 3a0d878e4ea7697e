/** Real time for workloads that were written for simulated time. */

import type { LoadWorld } from "../../sim/workloads/workload.js";
import { SeededRandom } from "../../sim/world/random.js";

const LOOK_EVERY_MS = 20;

export class RealWorld implements LoadWorld {
  readonly random: SeededRandom;
  readonly #onError: (error: unknown) => void;
  readonly #startMs = performance.now();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isEnded = false;

  /** @param onError for what is thrown by what was scheduled */
  constructor(random: SeededRandom, onError: (error: unknown) => void) {
    this.random = random;
    this.#onError = onError;
  }

  get nowMs(): number {
    return performance.now() - this.#startMs;
  }

  schedule(delayMs: number, run: () => void): void {
    if (this.#isEnded) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      try {
        run();
      } catch (error) {
        this.#onError(error);
      }
    }, delayMs);
    this.#timers.add(timer);
  }

  async run(limitMs: number, isDone: () => boolean): Promise<boolean> {
    return await this.until(limitMs, () => Promise.resolve(isDone()));
  }

  /** The same for what has to be asked for. */
  async until(limitMs: number, isDone: () => Promise<boolean>): Promise<boolean> {
    const endMs = this.nowMs + limitMs;
    while (!(await isDone())) {
      if (this.nowMs > endMs) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return true;
  }

  /** Nothing that is scheduled happens any more. */
  end(): void {
    this.#isEnded = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
