/** A request between its submission and its answer, over as many attempts as that takes. */
import { MinikeyError } from "../core/errors.js";
import type { WireReply, WireRequest } from "./wire.js";

export class Outgoing {
  readonly request: WireRequest;
  /** On the world's monotonic clock. */
  readonly deadlineMs: number;
  /** What makes a repeat known as one; empty and 0 for none. */
  sessionId = "";
  sequence = 0;
  /** Bytes of it may have reached a node. */
  wasSent = false;
  /** An attempt may have been carried out: what a later one says of itself does not say that nothing was. */
  isUncertain = false;
  isAnswered = false;
  /** Why the last attempt failed. */
  lastError: MinikeyError | undefined;
  readonly #onAnswered: () => void;

  /** `onAnswered` is called once, after the caller has its answer. */
  constructor(request: WireRequest, deadlineMs: number, onAnswered: () => void) {
    this.request = request;
    this.deadlineMs = deadlineMs;
    this.#onAnswered = onAnswered;
  }

  /** Sending it once more can do no harm: it reads, or carries a number. */
  get mayRetry(): boolean {
    return this.request.kind === "read" || this.sequence !== 0;
  }

  /** Refused under its number for good, and certainly not carried out: it gets another. */
  forgetNumber(): void {
    this.sessionId = "";
    this.sequence = 0;
    this.wasSent = false;
  }

  /** Only the first answer counts. Of a read nobody need wonder whether it happened. */
  answer(reply: WireReply): void {
    if (this.isAnswered) return;
    this.isAnswered = true;
    const isDoubtful =
      this.request.kind === "read" && reply instanceof MinikeyError && reply.outcome === "unknown";
    this.request.onReply(isDoubtful ? withoutOutcome(reply) : reply);
    this.#onAnswered();
  }

  /** Gives up, and says what is known of the outcome. */
  fail(reason: string): void {
    if (this.request.kind === "read") {
      const { code, message } = this.lastError ?? { code: "CONNECTION_LOST", message: reason };
      this.answer(new MinikeyError(code, message, { outcome: "none", cause: this.lastError }));
    } else if (this.wasSent) {
      this.answer(new MinikeyError("OUTCOME_UNKNOWN", reason, { cause: this.lastError }));
    } else {
      this.answer(
        new MinikeyError("CONNECTION_LOST", reason, { outcome: "not-applied", cause: this.lastError }),
      );
    }
  }
}

function withoutOutcome(error: MinikeyError): MinikeyError {
  return new MinikeyError(error.code, error.message, { outcome: "none", cause: error });
}
