/**
 * The system's clock behind the `Clock` port.
 *
 * Timers keep the process alive: an embedded node opens no socket, and must not vanish while somebody waits
 * for its answer. Whoever starts a timer cancels it; a stopped node has none.
 */
import type { CancelTimer, Clock } from "../ports/clock.js";

/** Node.js fires a longer timer at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

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

  /** What the callbacks ask for belongs to the next turn's end: input read meanwhile comes first. */
  #runTurnEnd(): void {
    const due = this.#atTurnEnd;
    this.#atTurnEnd = this.#spare;
    this.#scheduled = false;
    let done = 0;
    try {
      while (done < due.length) due[done++]();
    } finally {
      // After a throw the rest is still owed; nobody may have asked for it twice.
      if (done < due.length) {
        this.#atTurnEnd.unshift(...due.slice(done));
        this.#schedule();
      }
      due.length = 0;
      this.#spare = due;
    }
  }
}
