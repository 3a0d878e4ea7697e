/**
 * What a read may show, by what the clients of the run know together: who wrote what, from when to when.
 *
 * A write takes effect at some moment between its call and its answer; one whose outcome is not known may do so at
 * any later moment, or never. So a value is overwritten for certain when another write was called after the value's
 * was answered, and was answered itself. A read is **stale** when what it shows was overwritten for certain before
 * the read was called. Clients may write the same keys: of writes at the same time either may be the later one, and
 * one value may be of several writes.
 *
 *     client 0    ├─ PUT k a ─┤        ├─ PUT k b ─┤
 *     client 1                       ├──── PUT k c ─────┤
 *     a read called here:        ↑ a             ↑ a, b or c   ↑ b or c: either may have come later
 *
 * Whatever a key held before the run is one more write, answered before all others. A value that nobody in the run
 * wrote counts as that one's.
 */

/** Null: there is no such key. */
export type Value = string | null;

/** A call or an answer, in the order in which they came. */
export type Moment = number;

export interface Write {
  readonly key: string;
  readonly value: Value;
  readonly called: Moment;
  /** Infinity: not answered, or with an outcome that is not known. */
  answered: Moment;
}

/** What the keys hold before the run: nothing, or anything. */
export type Before = "absent" | "unknown";

export interface Expected {
  /** In the order of their calls, each once. */
  readonly values: readonly Value[];
  /** What the key held before the run may be shown as well, whatever it was. */
  readonly anything: boolean;
}

export class Judge {
  readonly #before: Before;
  readonly #writes = new Map<string, Write[]>();
  #latest: Moment = 0;

  constructor(before: Before) {
    this.#before = before;
  }

  /** All keys for which a write was called. */
  get keys(): readonly string[] {
    return [...this.#writes.keys()];
  }

  /** A moment of its own, later than all before: for the call of a read. */
  moment(): Moment {
    this.#latest += 1;
    return this.#latest;
  }

  /** A write is called. */
  begin(key: string, value: Value): Write {
    const write: Write = { key, value, called: this.moment(), answered: Number.POSITIVE_INFINITY };
    this.#writesOf(key).push(write);
    return write;
  }

  /** It was answered: it is done. */
  confirm(write: Write): void {
    write.answered = this.moment();
  }

  /** It was refused: it is certain that it is not done, and never will be. */
  withdraw(write: Write): void {
    const writes = this.#writesOf(write.key);
    writes.splice(writes.indexOf(write), 1);
  }

  /** What a read may show that was called then and is answered now. */
  expected(key: string, called: Moment): Expected {
    const writes = this.#writesOf(key);
    let latestCall: Moment = 0;
    for (const write of writes) if (write.answered < called) latestCall = Math.max(latestCall, write.called);
    const isUntouched = latestCall === 0;
    const values = new Set<Value>(isUntouched && this.#before === "absent" ? [null] : []);
    for (const write of writes) if (write.answered >= latestCall) values.add(write.value);
    return { values: [...values], anything: isUntouched && this.#before === "unknown" };
  }

  #writesOf(key: string): Write[] {
    let writes = this.#writes.get(key);
    if (writes === undefined) {
      writes = [];
      this.#writes.set(key, writes);
    }
    return writes;
  }
}

export const isStale = (shown: Value, { values, anything }: Expected): boolean =>
  !anything && !values.includes(shown);
