import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { judgeRange, PeerProgress } from "../../../src/eventual/peer-progress.js";

/** A range of writes, or what the receiver says of itself. */
type Frame =
  | { readonly to: "receiver"; readonly after: number; readonly upTo: number }
  | { readonly to: "sender"; readonly number: number; readonly resend: boolean };

/**
 * A sender and a receiver. The receiver takes ranges as a replica does; what it lacks is checked with each of them.
 */
class Pair {
  readonly progress = new PeerProgress();
  readonly frames: Frame[] = [];
  own = 0;
  nowMs = 0;
  received = 0;
  sentRanges = 0;

  /** A write; goes out as it is, when all before it did. */
  write(count: number): void {
    const after = this.own;
    this.own += count;
    if (this.progress.streams(after)) this.#send(after, this.own);
  }

  handOff(): void {
    const after = this.progress.behind(this.own);
    if (after !== undefined) this.#send(after, Math.min(this.own, after + 3));
  }

  #send(after: number, upTo: number): void {
    assert.equal(after, this.progress.sent, "each range begins where the one before ended");
    this.sentRanges += 1;
    this.progress.onSent(upTo, 100, this.nowMs);
    this.frames.push({ to: "receiver", after, upTo });
  }

  deliver(frame: Frame): void {
    if (frame.to === "sender") {
      this.progress.onVector(frame.number, frame.resend, this.nowMs);
      assert.ok(this.progress.acked <= this.received, "nothing is taken for there that is not");
      assert.ok(this.progress.sent >= this.progress.acked);
      return;
    }
    const verdict = judgeRange(this.received, frame.after, frame.upTo);
    if (verdict === "take") {
      assert.ok(frame.after <= this.received, "no write is skipped");
      assert.ok(frame.upTo > this.received, "nothing is taken that is known");
      this.received = frame.upTo;
    }
    this.frames.push({ to: "sender", number: this.received, resend: verdict === "gap" });
  }
}

type Step = "write" | "hand-off" | "deliver" | "repeat" | "lose" | "late" | "up" | "down" | "time";
const STEPS: readonly Step[] = [
  ...Array.from({ length: 8 }, () => "write" as const),
  ...Array.from({ length: 8 }, () => "deliver" as const),
  "hand-off",
  "hand-off",
  "hand-off",
  "repeat",
  "lose",
  "late",
  "late",
  "up",
  "down",
  "time",
];

function step(pair: Pair, what: Step, pick: number): void {
  const { frames, progress } = pair;
  const frame = frames[0];
  if (what === "write") pair.write(1 + (pick % 4));
  else if (what === "hand-off") pair.handOff();
  else if (what === "up") {
    progress.onUp();
    frames.push({ to: "sender", number: pair.received, resend: false });
  } else if (what === "down") progress.onDown();
  else if (what === "time") {
    pair.nowMs += 2_000;
    progress.tick(pair.nowMs);
  } else if (frame !== undefined) {
    if (what === "repeat") pair.deliver(frames[pick % frames.length]);
    else if (what === "lose") frames.splice(pick % frames.length, 1);
    else if (what === "late") frames.push(...frames.splice(0, 1));
    else {
      frames.shift();
      pair.deliver(frame);
    }
  }
}

test("whatever is lost, late or there twice, no write is skipped, and in the end all are there", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat()), { maxLength: 120 }), (steps) => {
      const pair = new Pair();
      step(pair, "up", 0);
      step(pair, "deliver", 0);
      for (const [what, pick] of steps) step(pair, what, pick);
      // The network is well again: time, and frames in order.
      pair.frames.length = 0;
      pair.progress.onUp();
      pair.frames.push({ to: "sender", number: pair.received, resend: false });
      for (let round = 0; round < 100 && pair.progress.acked < pair.own; round += 1) {
        pair.handOff();
        for (const frame of pair.frames.splice(0)) pair.deliver(frame);
        for (const frame of pair.frames.splice(0)) pair.deliver(frame);
      }
      assert.equal(pair.received, pair.own);
      assert.equal(pair.progress.acked, pair.own);
    }),
  );
});

test("a range that is lost, with the complaint about it, is sent again by itself", () => {
  const pair = new Pair();
  pair.progress.onUp();
  pair.progress.onVector(0, false, 0);
  pair.write(3);
  pair.frames.length = 0;
  assert.equal(pair.progress.behind(pair.own), undefined);
  pair.nowMs = 10_000;
  pair.progress.tick(pair.nowMs);
  assert.equal(pair.progress.behind(pair.own), 0);
});

test("a slow disk is sent the same less and less often", () => {
  const pair = new Pair();
  pair.progress.onUp();
  pair.progress.onVector(0, false, 0);
  pair.own = 1;
  for (; pair.nowMs < 600_000; pair.nowMs += 50) {
    pair.handOff();
    pair.progress.tick(pair.nowMs);
  }
  assert.ok(pair.sentRanges < 20, `sent ${pair.sentRanges} times`);
});

test("what is under way is bounded", () => {
  const progress = new PeerProgress();
  progress.onUp();
  progress.onVector(0, false, 0);
  let sent = 0;
  while (progress.behind(1_000_000) !== undefined) {
    sent += 1;
    progress.onSent(sent, 1024 * 1024, 0);
  }
  assert.equal(sent, 2);
  progress.onVector(1, false, 0);
  assert.equal(progress.behind(1_000_000), 2);
});

test("nothing is sent before the other is heard on the connection", () => {
  const progress = new PeerProgress();
  assert.equal(progress.behind(5), undefined);
  progress.onUp();
  assert.equal(progress.behind(5), undefined);
  progress.onVector(2, false, 0);
  assert.equal(progress.behind(5), 2);
  progress.onSent(5, 1, 0);
  progress.onDown();
  progress.onUp();
  progress.onVector(2, false, 0);
  assert.equal(progress.behind(5), 2, "what was under way is sent again");
});

test("who lacks more than the hints tell needs trees, once it is heard", () => {
  const progress = new PeerProgress();
  progress.onUp();
  assert.equal(progress.needsTrees(10), false);
  progress.onVector(9, false, 0);
  assert.equal(progress.needsTrees(10), true);
  progress.onVector(10, false, 0);
  assert.equal(progress.needsTrees(10), false);
});
