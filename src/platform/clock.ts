/**
 * The system's clock behind the `Clock` port.
 *
 * Timers keep the process alive: an embedded node opens no socket, and must not vanish while somebody waits
 * for its answer. Whoever starts a timer cancels it; a stopped node has none.
 */
import type { CancelTimer, Clock } from "../ports/clock.js";

/** Node.js fires a longer timer at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Rounds of callbacks in one turn's end. */
const ROUNDS_MAX = 3;

/** A new clock with its own queue of turn-end callbacks. */
export function systemClock(): Clock {
  return new SystemClock();
}

class SystemClock implements Clock {
  #atTurnEnd: (() => void)[] = [];
  #spare: (() => void)[] = [];
  #scheduled = false;

  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): CancelTimer {
    const timer = setTimeout(run, Math.min(delayMs, DELAY_MS_MAX));
    return () => clearTimeout(timer);
  }

  /** After a blocked event loop Node.js fires an interval once and counts on from there: no burst. */
  every(periodMs: number, run: () => void): CancelTimer {
    const timer = setInterval(run, Math.min(periodMs, DELAY_MS_MAX));
    return () => clearInterval(timer);
  }

  /** `setImmediate` runs after the poll phase, which has read all sockets and finished files of the turn. */
  atTurnEnd(run: () => void): void {
    this.#atTurnEnd.push(run);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#runTurnEnd());
  }

  /**
   * What the callbacks ask for follows at once, so that an answer leaves in the turn that found it; but only so
   * many times, so that input gets its turn.
   */
  #runTurnEnd(): void {
    for (let round = 0; round < ROUNDS_MAX && this.#atTurnEnd.length > 0; round += 1) this.#runRound();
    this.#scheduled = false;
    if (this.#atTurnEnd.length > 0) this.#schedule();
  }

  #runRound(): void {
    const due = this.#atTurnEnd;
    this.#atTurnEnd = this.#spare;
    let done = 0;
    try {
      while (done < due.length) due[done++]();
    } finally {
      // After a throw the rest is still owed; nobody may have asked for it twice.
      if (done < due.length) {
        this.#atTurnEnd.unshift(...due.slice(done));
        this.#scheduled = false;
        this.#schedule();
      }
      due.length = 0;
      this.#spare = due;
    }
  }
}
