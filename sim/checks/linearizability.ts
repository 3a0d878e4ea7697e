/**
 * Is a history linearizable? Wing and Gong's search with Lowe's memoisation: take any operation that no other
 * must come before, see whether it fits the state, go on with the rest.
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

interface Frame {
  readonly state: string;
  readonly candidates: readonly { readonly at: number; readonly state: string }[];
  next: number;
}

/** Whether some order of the operations explains all of them. */
export function judge<Call>(
  model: Model<Call>,
  history: readonly Operation<Call>[],
  stepsMax = STEPS_MAX,
): Verdict {
  // What returned first is tried first; what never returned, last.
  const operations = [...history].sort((a, b) => a.returnedMs - b.returnedMs || a.invokedMs - b.invokedMs);
  const done = new Uint8Array(operations.length);
  const known = operations.filter((operation) => operation.returnedMs !== Number.POSITIVE_INFINITY).length;
  const seen = new Set<string>();
  let steps = 0;

  const candidatesOf = (state: string): Frame["candidates"] => {
    const candidates: { at: number; state: string }[] = [];
    let earliestReturn = Number.POSITIVE_INFINITY;
    for (let at = 0; at < operations.length; at += 1) {
      if (done[at] === 1) continue;
      const { call, answer, invokedMs, returnedMs } = operations[at];
      earliestReturn = Math.min(earliestReturn, returnedMs);
      if (invokedMs > earliestReturn) continue;
      for (const after of model.step(state, call, answer)) candidates.push({ at, state: after });
    }
    // Sorted by return, so that `earliestReturn` is that of the first left.
    return candidates;
  };

  const stack: Frame[] = [{ state: model.initial, candidates: candidatesOf(model.initial), next: 0 }];
  const path: number[] = [];
  let doneKnown = 0;
  while (stack.length > 0) {
    if (doneKnown === known) return "linearizable";
    steps += 1;
    if (steps > stepsMax) return "too long to tell";
    const frame = stack[stack.length - 1];
    if (frame.next === frame.candidates.length) {
      stack.pop();
      const undone = path.pop();
      if (undone !== undefined) {
        done[undone] = 0;
        if (undone < known) doneKnown -= 1;
      }
      continue;
    }
    const { at, state } = frame.candidates[frame.next];
    frame.next += 1;
    done[at] = 1;
    const key = `${memoKey(done)}|${state}`;
    if (seen.has(key)) {
      done[at] = 0;
      continue;
    }
    seen.add(key);
    path.push(at);
    if (at < known) doneKnown += 1;
    stack.push({ state, candidates: candidatesOf(state), next: 0 });
  }
  return "not linearizable";
}

/** The done ones: a prefix, then what is done beyond it. */
function memoKey(done: Uint8Array): string {
  let prefix = 0;
  while (prefix < done.length && done[prefix] === 1) prefix += 1;
  let key = `${prefix}`;
  for (let at = prefix; at < done.length; at += 1) if (done[at] === 1) key += `,${at}`;
  return key;
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
