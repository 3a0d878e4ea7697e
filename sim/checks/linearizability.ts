/**
 * Is a history linearizable? Wing and Gong's search with Lowe's memoisation: take any operation that no other
 * must come before, see whether it fits the state, go on with the rest.
 *
 * Sources: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993); Lowe, "Testing for Linearizability"
 * (2017). Operations of unknown outcome make the search large: `#canWait` and `Seen` keep it small.
 */
import { shorten } from "./shortest-history.js";
import { Violation } from "./violation.js";

/** One call of a client, and what it answered. */
export interface Operation<Call> {
  readonly call: Call;
  /** Undefined when the outcome is not known: it may take effect at any later time, or never. */
  readonly answer: unknown;
  readonly invokedMs: number;
  /** Infinity when the outcome is not known. */
  readonly returnedMs: number;
}

/** States are strings, so that they compare. */
export interface Model<Call> {
  readonly initial: string;
  /** The states after `call` that `answer` allows; all that are possible when `answer` is undefined. */
  step(state: string, call: Call, answer: unknown): readonly string[];
}

const STEPS_MAX = 2_000_000;

export type Verdict = "linearizable" | "not linearizable" | "too long to tell";

/** Whether some order of the operations explains all of them. */
export function judge<Call>(
  model: Model<Call>,
  history: readonly Operation<Call>[],
  stepsMax = STEPS_MAX,
): Verdict {
  return new Search(model, history).run(stepsMax);
}

interface Frame {
  readonly state: number;
  /** What may come next: an operation's place and the number of the state after it, and so on, two by two. */
  readonly candidates: readonly number[];
  next: number;
}

/** Of an operation: none, or none that matters. */
const NOWHERE = -1;

class Search<Call> {
  readonly #model: Model<Call>;
  /** What returned first is tried first; what never returned, last. */
  readonly #operations: readonly Operation<Call>[];
  /** So many have returned. */
  readonly #known: number;
  /** By place, of what has returned: the earliest invocation from there on. */
  readonly #invokedFrom: Float64Array;
  readonly #done: Uint8Array;
  /** All before it are done. */
  #prefix = 0;
  /** States are compared by number: some are long. */
  readonly #states: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** By operation and state: the states afterwards. */
  readonly #afters: Map<number, readonly number[]>[];

  constructor(model: Model<Call>, history: readonly Operation<Call>[]) {
    this.#model = model;
    this.#operations = [...history].sort((a, b) => a.returnedMs - b.returnedMs || a.invokedMs - b.invokedMs);
    const firstUnknown = this.#operations.findIndex(({ returnedMs }) => returnedMs === Infinity);
    this.#known = firstUnknown === -1 ? this.#operations.length : firstUnknown;
    this.#done = new Uint8Array(this.#operations.length);
    this.#afters = this.#operations.map(() => new Map());
    this.#invokedFrom = new Float64Array(this.#known + 1).fill(Infinity);
    for (let at = this.#known - 1; at >= 0; at -= 1) {
      this.#invokedFrom[at] = Math.min(this.#operations[at].invokedMs, this.#invokedFrom[at + 1]);
    }
  }

  run(stepsMax: number): Verdict {
    const seen = new Seen(this.#operations.length - this.#known);
    const path: number[] = [];
    const stack: Frame[] = [this.#frame(this.#numberOf(this.#model.initial), NOWHERE, NOWHERE)];
    let knownLeft = this.#known;
    for (let steps = 0; stack.length > 0; steps += 1) {
      if (knownLeft === 0) return "linearizable";
      if (steps >= stepsMax) return "too long to tell";
      const frame = stack[stack.length - 1];
      if (frame.next === frame.candidates.length) {
        stack.pop();
        const undone = path.pop();
        if (undone === undefined) continue;
        this.#undo(undone);
        if (undone < this.#known) knownLeft += 1;
        continue;
      }
      const at = frame.candidates[frame.next];
      const state = frame.candidates[frame.next + 1];
      frame.next += 2;
      this.#do(at);
      const last = at < this.#known ? NOWHERE : at;
      if (!seen.add(this.#keyOf(state, last), this.#done.subarray(this.#known))) {
        this.#undo(at);
        continue;
      }
      path.push(at);
      if (at < this.#known) knownLeft -= 1;
      stack.push(this.#frame(state, last, frame.state));
    }
    return "not linearizable";
  }

  #do(at: number): void {
    this.#done[at] = 1;
    while (this.#done[this.#prefix] === 1) this.#prefix += 1;
  }

  #undo(at: number): void {
    this.#done[at] = 0;
    if (at < this.#prefix) this.#prefix = at;
  }

  /** `last` is what came last if its outcome is unknown, and `before` the state before it. */
  #frame(state: number, last: number, before: number): Frame {
    const operations = this.#operations;
    const candidates: number[] = [];
    // Sorted by return: the first left is the first to have returned, and all that began before may come now.
    const { returnedMs } = operations[this.#prefix] ?? { returnedMs: Infinity };
    for (let at = this.#prefix; at < this.#known && this.#invokedFrom[at] <= returnedMs; at += 1) {
      if (this.#done[at] === 1 || operations[at].invokedMs > returnedMs) continue;
      for (const after of this.#after(at, state)) {
        if (last === NOWHERE || !this.#canWait(last, at, before, after)) candidates.push(at, after);
      }
    }
    for (let at = this.#known; at < operations.length && operations[at].invokedMs <= returnedMs; at += 1) {
      if (this.#done[at] === 1) continue;
      for (const after of this.#after(at, state)) {
        if (after === state) continue;
        if (last === NOWHERE || !this.#canWait(last, at, before, after)) candidates.push(at, after);
      }
    }
    return { state, candidates, next: 0 };
  }

  /**
   * Whether `last`, of unknown outcome, could as well come after `next` as before it, or never: then that order is
   * tried, and not this one. It began before, and so it may come at any time after. Of two that change places as
   * they like, the one further in front comes first.
   */
  #canWait(last: number, next: number, before: number, after: number): boolean {
    const withoutLast = this.#after(next, before);
    if (withoutLast.includes(after)) return true;
    if (next >= this.#known && next > last) return false;
    return withoutLast.some((state) => this.#after(last, state).includes(after));
  }

  #after(at: number, state: number): readonly number[] {
    const known = this.#afters[at].get(state);
    if (known !== undefined) return known;
    const { call, answer } = this.#operations[at];
    const afters = this.#model.step(this.#states[state], call, answer).map((after) => this.#numberOf(after));
    this.#afters[at].set(state, afters);
    return afters;
  }

  #numberOf(state: string): number {
    const known = this.#numbers.get(state);
    if (known !== undefined) return known;
    const number = this.#states.push(state) - 1;
    this.#numbers.set(state, number);
    return number;
  }

  /** Where the search is: what is done of what has returned is all up to the prefix, and these beyond it. */
  #keyOf(state: number, last: number): string {
    let key = `${state}|${last}|${this.#prefix}`;
    for (let at = this.#prefix; at < this.#known; at += 1) if (this.#done[at] === 1) key += `,${at}`;
    return key;
  }
}

const WORD_BITS = 31;

/**
 * Where the search has been. Of two places that differ only in what was done of the operations of unknown outcome,
 * whatever can follow where more of them are done can follow where fewer are: they need not be done at all.
 */
class Seen {
  readonly #words: number;
  /** By the rest of the place: sets of bits, word after word, one set after the other. */
  readonly #sets = new Map<string, number[]>();

  constructor(unknown: number) {
    this.#words = Math.ceil(unknown / WORD_BITS);
  }

  /** False when no more can follow than from a place where the search has been. */
  add(key: string, doneUnknown: Uint8Array): boolean {
    const sets = this.#sets.get(key);
    const words = this.#wordsOf(doneUnknown);
    if (sets === undefined) this.#sets.set(key, words);
    else if (this.#words === 0 || this.#holdsPartOf(sets, words)) return false;
    else sets.push(...words);
    return true;
  }

  #wordsOf(bits: Uint8Array): number[] {
    const words = Array.from({ length: this.#words }, () => 0);
    for (let i = 0; i < bits.length; i += 1) {
      if (bits[i] === 1) words[Math.floor(i / WORD_BITS)] |= 1 << (i % WORD_BITS);
    }
    return words;
  }

  #holdsPartOf(sets: readonly number[], words: readonly number[]): boolean {
    for (let at = 0; at < sets.length; at += this.#words) {
      let isPart = true;
      for (let i = 0; i < this.#words; i += 1) if ((sets[at + i] & ~words[i]) !== 0) isPart = false;
      if (isPart) return true;
    }
    return false;
  }
}

/** Judges histories that must be linearizable, and counts those that nothing can be said of. */
export class Judge {
  readonly #stepsMax: number;
  told = 0;
  untold = 0;

  constructor(stepsMax = STEPS_MAX) {
    this.#stepsMax = stepsMax;
  }

  /** Throws when the history is not linearizable, with the shortest that is not either. */
  expect<Call>(model: Model<Call>, history: readonly Operation<Call>[], name: string): void {
    const verdict = judge(model, history, this.#stepsMax);
    if (verdict === "not linearizable") {
      const shortest = shorten(model, history).map((operation) => describe(operation));
      throw new Violation("linearizability", `no order explains what was answered of ${name}`, shortest);
    }
    if (verdict === "linearizable") this.told += 1;
    else this.untold += 1;
  }
}

/** A history of calls as a workload records it. */
export class History<Call> {
  readonly operations: Operation<Call>[] = [];

  /** `answer` undefined: it is not known whether the call was carried out. */
  record(call: Call, answer: unknown, invokedMs: number, nowMs: number): void {
    const returnedMs = answer === undefined ? Number.POSITIVE_INFINITY : nowMs;
    this.operations.push({ call, answer, invokedMs, returnedMs });
  }
}

function describe<Call>({ call, answer, invokedMs, returnedMs }: Operation<Call>): string {
  const from = invokedMs.toFixed(3).padStart(12);
  const to = answer === undefined ? "no answer".padStart(12) : returnedMs.toFixed(3).padStart(12);
  const reply = answer === undefined ? "" : ` → ${JSON.stringify(answer)}`;
  return `${from} ${to}  ${JSON.stringify(call)}${reply}`;
}
