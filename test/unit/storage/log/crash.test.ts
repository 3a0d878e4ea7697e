import { describe, it } from "node:test";
import * as fc from "fast-check";
import { seededChance } from "../../../../sim/disk/sim-disk.js";
import { utf8ToBytes } from "../../../../src/core/bytes.js";
import { type GroupId, groupId, logIndex, replicaId, term } from "../../../../src/core/ids.js";
import { type LogOperation, lastIndexOf, NEW_GROUP, termAt } from "./log-model.js";
import { LogRun } from "./log-run.js";

interface Given {
  readonly kind: "append" | "conflict" | "install" | "compact" | "vote" | "drop";
  readonly group: number;
  readonly a: number;
  readonly b: number;
}

type Step =
  | Given
  | { readonly kind: "flush" }
  | { readonly kind: "settle" }
  | { readonly kind: "close" }
  | { readonly kind: "crash"; how: "kill" | "power loss"; after: number; again: readonly number[] };

const group = fc.nat(3);
const small = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("append" as const), group, a: small, b: small }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("conflict" as const, "compact" as const, "vote" as const),
      group,
      a: small,
      b: small,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("install" as const), group, a: small, b: small }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), group, a: small, b: small }) },
  {
    weight: 8,
    arbitrary: fc.constantFrom({ kind: "flush" as const }, { kind: "settle" as const }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "close" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      how: fc.constantFrom("kill" as const, "power loss" as const),
      after: fc.integer({ min: 0, max: 12 }),
      again: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 3 }),
    }),
  },
);

/** Turns a step's numbers into an operation that the group's state allows. */
function operationOf(run: LogRun, step: Given): LogOperation {
  const id: GroupId = groupId(step.group);
  const known = run.state.get(id) ?? NEW_GROUP;
  const last = lastIndexOf(known);
  const { a, b } = step;
  const currentTerm = known.hardState.term;
  const hardState = { term: currentTerm, vote: replicaId(b % 4), commit: logIndex(last) };
  const entriesFrom = (first: number, entryTerm: number) =>
    Array.from({ length: 1 + (a % 3) }, (_, i) => ({
      index: logIndex(first + i),
      term: term(entryTerm),
      kind: a % 7 === 0 ? ("noop" as const) : ("command" as const),
      data: utf8ToBytes(a % 7 === 0 ? "" : `${step.group}.${first + i}.${entryTerm}.${"x".repeat(b % 700)}`),
    }));
  const snapshot = (index: number, snapshotTerm: number) => ({
    index: logIndex(index),
    term: term(snapshotTerm),
    configuration: { voters: [replicaId(a)], votersOutgoing: [], learners: [replicaId(b)] },
  });
  switch (step.kind) {
    case "append":
      return {
        kind: "append",
        append: {
          group: id,
          hardState: undefined,
          entries: entriesFrom(last + 1, currentTerm),
          snapshot: undefined,
        },
      };
    case "conflict": {
      const back = Math.min(a % 5, known.entries.length);
      const higher = { ...hardState, term: term(currentTerm + 1) };
      const entries = entriesFrom(last + 1 - back, currentTerm + 1);
      return { kind: "append", append: { group: id, hardState: higher, entries, snapshot: undefined } };
    }
    case "vote": {
      const voted = { ...hardState, term: term(currentTerm + 1) };
      return { kind: "append", append: { group: id, hardState: voted, entries: [], snapshot: undefined } };
    }
    case "install": {
      const index = known.snapshot.index + (a % 12);
      const agreed = termAt(known, index);
      const installed = snapshot(index, b % 2 === 0 && agreed !== undefined ? agreed : currentTerm + 1);
      return { kind: "append", append: { group: id, hardState, entries: [], snapshot: installed } };
    }
    case "compact": {
      const index = Math.min(last, known.snapshot.index + (a % 10));
      return { kind: "compact", group: id, snapshot: snapshot(index, termAt(known, index) ?? 0) };
    }
    case "drop":
      return { kind: "drop", group: id };
  }
}

async function crash(run: LogRun, step: Step & { kind: "crash" }): Promise<void> {
  run.disk.stopAt = run.disk.operations + step.after;
  await run.settle();
  run.restart(step.how);
  for (const after of step.again) {
    run.disk.stopAt = after;
    if (await run.open()) return;
    run.restart(run.chance() < 0.5 ? "kill" : "power loss");
  }
  await run.open();
}

async function play(steps: readonly Step[], seed: number, segmentBytes: number): Promise<void> {
  const run = new LogRun(seededChance(seed), segmentBytes);
  await run.open();
  for (const step of [...steps, { kind: "crash", how: "power loss", after: 5, again: [] } as const]) {
    if (run.disk.stopped) {
      run.restart("power loss");
      await run.open();
    }
    if (step.kind === "flush") run.log?.flush();
    else if (step.kind === "settle") await run.settle();
    else if (step.kind === "crash") await crash(run, step);
    else if (step.kind === "close") {
      await Promise.race([run.log?.close(), run.disk.whenStopped]);
      run.restart("power loss");
      await run.open();
    } else run.give(operationOf(run, step));
  }
}

describe("the log, when the machine stops", () => {
  it("recovers all that was acknowledged, in order, and nothing that was not given to it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer(),
        fc.constantFrom(2048, 4096, 16_384),
        play,
      ),
      { numRuns: Number(process.env["LOG_CRASH_RUNS"] ?? 300) },
    );
  });
});
