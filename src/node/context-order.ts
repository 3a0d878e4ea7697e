/**
 * Keeps the commands of one context in order where it matters: reads run side by side, writes run side by side
 * (one partition's log keeps theirs in order), but a read waits for the writes before it and a write for the
 * reads before it. Commands over several partitions at once wait for everything before them.
 */

/** `alone`: nothing else of the context is under way beside it. */
export type CommandKind = "read" | "write" | "alone";

/** A command that waits for its turn; it counts itself in when it starts. */
export interface DeferredCommand {
  readonly kind: CommandKind;
  /** What its arguments take while it waits. */
  readonly sizeBytes: number;
  start(): void;
}

/** Commands that have started are dropped from the list of those that wait by so many at a time. */
const STARTED_KEPT_MAX = 1024;

export class ContextOrder {
  #kind: CommandKind = "read";
  #underWay = 0;
  /** Those before `#head` have started, and nothing is kept of them. */
  #waiting: (DeferredCommand | undefined)[] = [];
  #head = 0;
  #isStarting = false;
  #keptBytes = 0;

  /** What the arguments take that are kept for this context: whoever submits is to pause beyond a bound. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Arguments are kept for a command under way, until they are let go of. */
  keep(sizeBytes: number): void {
    this.#keptBytes += sizeBytes;
  }

  letGo(sizeBytes: number): void {
    this.#keptBytes -= sizeBytes;
  }

  /** True when a command of this kind may start now; it is then counted as under way. */
  tryStart(kind: CommandKind): boolean {
    if (this.#underWay > 0 || this.#head < this.#waiting.length) {
      if (this.#head < this.#waiting.length || kind !== this.#kind || kind === "alone") return false;
    }
    this.#kind = kind;
    this.#underWay += 1;
    return true;
  }

  defer(command: DeferredCommand): void {
    this.#waiting.push(command);
    this.#keptBytes += command.sizeBytes;
  }

  /** One command under way has been answered. Starts what may start now. */
  finish(): void {
    this.#underWay -= 1;
    if (this.#head === this.#waiting.length || this.#isStarting) return;
    if (this.#underWay === 0) this.#startWaiting();
  }

  /** What is answered as soon as it starts finishes in here: this loop goes on, and no other begins inside it. */
  #startWaiting(): void {
    this.#isStarting = true;
    while (this.#head < this.#waiting.length) {
      const next = this.#waiting[this.#head];
      if (next === undefined) break;
      const mayJoin = next.kind === this.#kind && next.kind !== "alone";
      if (this.#underWay > 0 && !mayJoin) break;
      this.#kind = next.kind;
      this.#waiting[this.#head] = undefined;
      this.#keptBytes -= next.sizeBytes;
      this.#head += 1;
      this.#underWay += 1;
      next.start();
    }
    this.#isStarting = false;
    this.#forgetStarted();
  }

  /** A connection that never pauses always has something waiting. */
  #forgetStarted(): void {
    if (this.#head < this.#waiting.length && this.#head < STARTED_KEPT_MAX) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}
