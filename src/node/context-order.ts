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
  start(): void;
}

export class ContextOrder {
  #kind: CommandKind = "read";
  #underWay = 0;
  #waiting: DeferredCommand[] = [];
  #head = 0;

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
  }

  /** One command under way has been answered. Starts what may start now. */
  finish(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0 || this.#head === this.#waiting.length) return;
    this.#kind = this.#waiting[this.#head].kind;
    do {
      const next = this.#waiting[this.#head];
      this.#head += 1;
      this.#underWay += 1;
      next.start();
    } while (this.#nextMayJoin());
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
  }

  #nextMayJoin(): boolean {
    if (this.#kind === "alone" || this.#head >= this.#waiting.length) return false;
    return this.#waiting[this.#head].kind === this.#kind;
  }
}
