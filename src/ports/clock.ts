/** Stops a timer; harmless when it has fired or was stopped before. */
export type CancelTimer = () => void;

/** Time, for everything that is not pure. The simulator has its own. */
export interface Clock {
  /** Milliseconds since 1970, UTC; may jump. For expiry times and for people. */
  wallMs(): number;
  /** Milliseconds from an arbitrary start; never goes back. For time-outs and latencies. */
  monotonicMs(): number;
  /** Calls `run` once after at least `delayMs`. */
  after(delayMs: number, run: () => void): CancelTimer;
  /** Calls `run` every `periodMs`, never twice at once, never in a burst to catch up. */
  every(periodMs: number, run: () => void): CancelTimer;
  /** Calls `run` when all input of this event-loop turn has been read: where batches are cut. */
  atTurnEnd(run: () => void): void;
}
