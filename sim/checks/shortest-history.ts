/**
 * The part of a history that shows why it is not linearizable: cut off after the first moment that cannot be
 * explained, and without the reads that do not matter.
 */
import { judge, type Model, type Operation } from "./linearizability.js";

/** Enough to be told in time; a history that takes longer is not made shorter. */
const STEPS_MAX = 50_000;
const TRIES_MAX = 200;

export function shorten<Call>(model: Model<Call>, history: readonly Operation<Call>[]): Operation<Call>[] {
  const isBroken = (part: readonly Operation<Call>[]): boolean =>
    judge(model, part, STEPS_MAX) === "not linearizable";
  let shortest = earliestBroken(history, isBroken);
  // Whatever changes nothing explains nothing: without it, the rest must still be explained.
  const reads = shortest.filter(
    ({ call, answer }) => answer !== undefined && isRead(model, call, answer, shortest),
  );
  for (const read of reads.slice(0, TRIES_MAX)) {
    const without = shortest.filter((operation) => operation !== read);
    if (isBroken(without)) shortest = without;
  }
  return shortest;
}

/** As of the earliest moment at which it is broken: what had not returned by then had an unknown outcome. */
function earliestBroken<Call>(
  history: readonly Operation<Call>[],
  isBroken: (part: readonly Operation<Call>[]) => boolean,
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

function asOf<Call>(history: readonly Operation<Call>[], timeMs: number): Operation<Call>[] {
  return history
    .filter(({ invokedMs }) => invokedMs <= timeMs)
    .map((operation) =>
      operation.returnedMs <= timeMs
        ? operation
        : {
            call: operation.call,
            answer: undefined,
            invokedMs: operation.invokedMs,
            returnedMs: Number.POSITIVE_INFINITY,
          },
    );
}

/** A call that leaves every state that the history's own calls lead to as it is. */
function isRead<Call>(
  model: Model<Call>,
  call: Call,
  answer: unknown,
  history: readonly Operation<Call>[],
): boolean {
  const states = new Set([model.initial]);
  for (const operation of history) {
    for (const state of model.step(model.initial, operation.call, operation.answer)) states.add(state);
  }
  return [...states].every((state) => model.step(state, call, answer).every((after) => after === state));
}
