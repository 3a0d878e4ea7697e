/** What commands of eventual keyspaces wait in: for replicas to be reached, and for the first of a repeat. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Reply, Slice } from "../../../../src/commands/reply.js";
import { latin1ToBytes } from "../../../../src/core/bytes.js";
import { MinikeyError } from "../../../../src/core/errors.js";
import { groupId } from "../../../../src/core/ids.js";
import { OnceMemory } from "../../../../src/node/eventual/once-memory.js";
import { Patience } from "../../../../src/node/eventual/patience.js";
import { HandClock } from "../../../support/hand-clock.js";

const GROUP = groupId(7);
const FAR_MS = Number.MAX_SAFE_INTEGER;

/** Tries until it is refused, or `isMet`; says how often it tried. */
function persist(patience: Patience, isMet: () => boolean, deadlineMs = FAR_MS) {
  const outcome = { tries: 0, end: "waits" as "waits" | "met" | "refused" };
  const attempt = () => {
    outcome.tries += 1;
    if (isMet()) {
      patience.onMet(GROUP);
      outcome.end = "met";
    } else if (!patience.wait(GROUP, deadlineMs, attempt)) outcome.end = "refused";
  };
  attempt();
  return outcome;
}

describe("Patience with a partition that has too few replicas", () => {
  it("lasts a second, and those who come after that are refused at once", () => {
    const clock = new HandClock();
    const patience = new Patience(clock);
    const first = persist(patience, () => false);
    clock.advance(900);
    assert.equal(first.end, "waits");
    clock.advance(200);
    assert.equal(first.end, "refused");
    assert.equal(persist(patience, () => false).end, "refused");
    assert.equal(clock.pendingTimers, 0);
  });

  it("begins anew after a time in which it had enough, or nobody asked", () => {
    const clock = new HandClock();
    const patience = new Patience(clock);
    persist(patience, () => false);
    clock.advance(1_100);
    patience.onMet(GROUP);
    assert.equal(persist(patience, () => false).end, "waits");
    clock.advance(1_100);
    assert.equal(persist(patience, () => false).end, "refused");
    clock.advance(5_000);
    assert.equal(persist(patience, () => false).end, "waits");
  });

  it("ends as soon as there are enough, in the order in which commands came", () => {
    const clock = new HandClock();
    const patience = new Patience(clock);
    let isMet = false;
    const order: number[] = [];
    for (const i of [1, 2, 3]) {
      persist(patience, () => {
        if (isMet) order.push(i);
        return isMet;
      });
    }
    assert(patience.isWaiting(GROUP));
    isMet = true;
    clock.advance(100);
    assert.deepEqual(order, [1, 2, 3]);
    assert(!patience.isWaiting(GROUP));
  });

  it("does not outlast a command's time, or the node", () => {
    const clock = new HandClock();
    const patience = new Patience(clock);
    const short = persist(patience, () => false, clock.monotonicMs() + 300);
    clock.advance(310);
    assert.equal(short.end, "refused");
    const last = persist(patience, () => false);
    assert.equal(last.end, "waits");
    patience.close();
    assert.equal(last.end, "refused");
  });
});

describe("The memory of numbered writes", () => {
  const answersOf = (memory: OnceMemory, number: string, group = GROUP) => {
    const answers: Reply[] = [];
    const tell = memory.begin(group, "1_a", number, (reply) => answers.push(reply));
    return { answers, tell };
  };

  it("answers a repeat with the first's reply, whether it comes while that runs or after", () => {
    const memory = new OnceMemory();
    const first = answersOf(memory, "1");
    const during = answersOf(memory, "1");
    assert.equal(during.tell, undefined);
    first.tell?.(5);
    const after = answersOf(memory, "1");
    assert.deepEqual([first.answers, during.answers, after.answers], [[5], [5], [5]]);
    assert.notEqual(answersOf(memory, "2").tell, undefined);
  });

  it("lets what was certainly not done be tried again, and nothing else", () => {
    const memory = new OnceMemory();
    answersOf(memory, "1").tell?.(new MinikeyError("NO_QUORUM", "nobody is there"));
    const again = answersOf(memory, "1");
    assert.notEqual(again.tell, undefined);
    again.tell?.(new MinikeyError("OUTCOME_UNKNOWN", "1 of the 2 replicas"));
    assert.equal(answersOf(memory, "1").tell, undefined);
  });

  it("keeps a reply's bytes, and of a long one that it was given", () => {
    const memory = new OnceMemory();
    const bytes = latin1ToBytes("value");
    answersOf(memory, "1").tell?.(new Slice(bytes, 0, bytes.length));
    bytes.fill(0);
    const [kept] = answersOf(memory, "1").answers;
    assert(kept instanceof Slice);
    assert.equal(kept.bytes.latin1Slice(kept.start, kept.end), "value");
    const long = latin1ToBytes("x".repeat(10_000));
    const first = answersOf(memory, "2");
    first.tell?.(new Slice(long, 0, long.length));
    assert(first.answers[0] instanceof Slice);
    const [repeated] = answersOf(memory, "2").answers;
    assert(repeated instanceof MinikeyError && repeated.outcome === "unknown");
  });

  it("knows a number in its own partition only", () => {
    const memory = new OnceMemory();
    answersOf(memory, "1").tell?.(5);
    assert.notEqual(answersOf(memory, "1", groupId(8)).tell, undefined, "it is another write");
  });

  it("forgets the oldest, and stays small", () => {
    const memory = new OnceMemory();
    for (let i = 0; i < 1_000; i += 1) answersOf(memory, `${i}`).tell?.(i);
    assert.notEqual(answersOf(memory, "0").tell, undefined, "it is carried out as another");
    assert.deepEqual(answersOf(memory, "999").answers, [999]);
  });
});
