/**
 * The part of a history that shows why it is not linearizable: cut off after the first moment that cannot be
 * explained, and without the operations that do not matter to that.
 */
import { judge, type Model, type Operation } from "./linearizability.js";

/** Enough to be told in time; a history that takes longer is not made shorter. */
const STEPS_MAX = 50_000;
const TRIES_MAX = 1_000;

type Part<Call> = readonly Operation<Call>[];

/** Of what has an answer, nothing of the result can be left out. */
export function shorten<Call>(model: Model<Call>, history: Part<Call>): Operation<Call>[] {
  let tries = 0;
  const isBroken = (part: Part<Call>): boolean => {
    tries += 1;
    return tries <= TRIES_MAX && judge(model, part, STEPS_MAX) === "not linearizable";
  };
  const whole = earliestBroken(history, isBroken);
  const reads = whole.filter(
    ({ call, answer }) => answer !== undefined && isRead(model, call, answer, whole),
  );
  const others = whole.filter((operation) => operation.answer !== undefined && !reads.includes(operation));
  // What does not matter may have happened at any time or never, and there is still no order that explains the rest.
  let part: Part<Call> = whole;
  for (const operation of [...reads, ...others]) {
    const without = weakened(part, operation);
    if (isBroken(without)) part = without;
  }
  const needed = part.filter(({ answer }) => answer !== undefined);
  // One of unknown outcome is shown when without it some of what is needed no longer is.
  for (const operation of part.filter(({ answer }) => answer === undefined)) {
    const without = part.filter((each) => each !== operation);
    const isMissed = needed.some((each) => isBroken(weakened(without, each)));
    if (!isMissed) part = without;
  }
  return [...part];
}

/** As if the answer of one operation had never been heard. */
const weakened = <Call>(part: Part<Call>, one: Operation<Call>): Part<Call> =>
  part.map((operation) => (operation === one ? asUnknown(operation) : operation));

/** As of the earliest moment at which it is broken: what had not returned by then had an unknown outcome. */
function earliestBroken<Call>(
  history: Part<Call>,
  isBroken: (part: Part<Call>) => boolean,
): Operation<Call>[] {
  const times = [...new Set(history.map(({ returnedMs }) => returnedMs))].sort((a, b) => a - b);
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBroken(asOf(history, times[middle]))) high = middle;
    else low = middle + 1;
  }
  const part = asOf(history, times[low] ?? Number.POSITIVE_INFINITY);
  return isBroken(part) ? part : [...history];
}

function asOf<Call>(history: Part<Call>, timeMs: number): Operation<Call>[] {
  return history
    .filter(({ invokedMs }) => invokedMs <= timeMs)
    .map((operation) => (operation.returnedMs <= timeMs ? operation : asUnknown(operation)));
}

function asUnknown<Call>({ call, invokedMs }: Operation<Call>): Operation<Call> {
  return { call, answer: undefined, invokedMs, returnedMs: Number.POSITIVE_INFINITY };
}

/** A call that leaves every state that the history's own calls lead to as it is. */
function isRead<Call>(model: Model<Call>, call: Call, answer: unknown, history: Part<Call>): boolean {
  const states = new Set([model.initial]);
  for (const operation of history) {
    for (const state of model.step(model.initial, operation.call, operation.answer)) states.add(state);
  }
  return [...states].every((state) => model.step(state, call, answer).every((after) => after === state));
}
