/**
 * Who waits until how many replicas have a write of this one.
 *
 * A write is named by its number, and whoever has one has all before it: so each count of copies has one queue, in
 * the order of the numbers, from whose front goes what has so many.
 */

type Done = (copies: number) => void;

interface Waiter {
  readonly number: number;
  readonly deadlineMs: number;
  readonly done: Done;
}

class WaitingLine {
  #waiters: Waiter[] = [];
  #head = 0;
  #soonestMs = Number.POSITIVE_INFINITY;

  get length(): number {
    return this.#waiters.length - this.#head;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
    this.#soonestMs = Math.min(this.#soonestMs, waiter.deadlineMs);
  }

  /** Tells those whose write is at most `number`, in their order. */
  release(number: number, copiesOf: (number: number) => number): void {
    while (this.#head < this.#waiters.length && this.#waiters[this.#head].number <= number) {
      const waiter = this.#waiters[this.#head];
      this.#head += 1;
      waiter.done(copiesOf(waiter.number));
    }
    if (this.#head * 2 < this.#waiters.length) return;
    this.#waiters = this.#waiters.slice(this.#head);
    this.#head = 0;
  }

  /** Tells those whose time is over. */
  expire(nowMs: number, copiesOf: (number: number) => number): void {
    if (nowMs < this.#soonestMs) return;
    const waiting = this.#waiters.slice(this.#head);
    this.#waiters = waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
    this.#head = 0;
    this.#soonestMs = this.#waiters.reduce(
      (soonest, { deadlineMs }) => Math.min(soonest, deadlineMs),
      Number.POSITIVE_INFINITY,
    );
    for (const { number, deadlineMs, done } of waiting) if (deadlineMs <= nowMs) done(copiesOf(number));
  }
}

export class WriteCopies {
  /** By count of copies. */
  readonly #lines: WaitingLine[] = [];
  /** Up to which number each complete replica has this one's writes, the highest first. */
  #acked: readonly number[] = [];

  get isIdle(): boolean {
    return this.#lines.every((line) => line.length === 0);
  }

  /** As of now; this replica's own disk is one of them. In any order. */
  update(acked: number[]): void {
    this.#acked = acked.sort((a, b) => b - a);
    for (let count = 1; count < this.#lines.length; count += 1) {
      const line = this.#lines[count];
      if (line.length > 0) line.release(this.#numberAt(count), this.#copiesOf);
    }
  }

  /** Calls `done` once: as soon as `count` replicas have the write, or at the deadline, with how many have. */
  await(number: number, count: number, deadlineMs: number, done: Done): void {
    if (this.#numberAt(count) >= number) {
      done(this.#copiesOf(number));
      return;
    }
    while (this.#lines.length <= count) this.#lines.push(new WaitingLine());
    this.#lines[count].add({ number, deadlineMs, done });
  }

  expire(nowMs: number): void {
    for (const line of this.#lines) if (line.length > 0) line.expire(nowMs, this.#copiesOf);
  }

  /** The replica is closed: whoever waits hears what is known. */
  close(): void {
    this.expire(Number.POSITIVE_INFINITY);
  }

  /** Up to which number so many replicas have everything; −1: there are not so many. */
  #numberAt(count: number): number {
    if (count > this.#acked.length) return -1;
    return this.#acked[count - 1];
  }

  readonly #copiesOf = (number: number): number => {
    let copies = 0;
    for (const acked of this.#acked) if (acked >= number) copies += 1;
    return copies;
  };
}
