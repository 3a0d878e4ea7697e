/**
 * A clock for tests with real sockets: turns end as the event loop's do, timers fire when the test says so. A
 * test that never turns it proves that nothing it saw needed a time-out.
 */
import type { CancelTimer, Clock } from "../../src/ports/clock.js";

interface Timer {
  dueMs: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

export class HandClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<Timer>();
  #turn: (() => void)[] = [];

  /** Timers set and neither fired nor stopped. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): CancelTimer {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: undefined, run });
  }

  every(periodMs: number, run: () => void): CancelTimer {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, run });
  }

  atTurnEnd(run: () => void): void {
    this.#turn.push(run);
    if (this.#turn.length === 1) setImmediate(() => this.#endTurn());
  }

  /** Lets `durationMs` pass: what is due runs, earliest first. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#nowMs = next.dueMs;
      if (next.periodMs === undefined) this.#timers.delete(next);
      else next.dueMs += next.periodMs;
      next.run();
    }
    this.#nowMs = endMs;
  }

  #add(timer: Timer): CancelTimer {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #endTurn(): void {
    const runs = this.#turn;
    for (let i = 0; i < runs.length; i += 1) runs[i]();
    this.#turn = [];
  }
}
