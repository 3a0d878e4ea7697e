import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { INT64_MAX, INT64_MIN } from "../../../src/core/int64.js";
import { Fingerprint } from "../../../src/eventual/fingerprints.js";
import { compareStamped, sameRecord } from "../../../src/eventual/merge.js";
import type { EventualRecord } from "../../../src/eventual/types.js";
import { type Copy, ModelReplica, type Written } from "./model-replica.js";

const START = Date.UTC(2031, 0, 1);
const REPLICAS = 3;

interface Step {
  readonly act: string;
  readonly replica: number;
  readonly amount: number;
}

const steps = (...acts: readonly string[]): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      act: fc.constantFrom(...acts),
      replica: fc.nat({ max: REPLICAS - 1 }),
      amount: fc.nat({ max: 1000 }),
    }),
    { maxLength: 60, size: "max" },
  );

/** A few replicas, all copies that they ever made, and how far each one's clock is off. */
class World {
  readonly replicas = Array.from({ length: REPLICAS }, (_, i) => new ModelReplica(i + 1));
  readonly #copies: Copy[] = [];
  readonly #aheadMs: readonly number[];
  #elapsedMs = 0;

  constructor(aheadMs: readonly number[]) {
    this.#aheadMs = aheadMs;
  }

  nowMs(replica: number): number {
    return START + this.#elapsedMs + this.#aheadMs[replica];
  }

  do({ act, replica: i, amount }: Step): void {
    const replica = this.replicas[i];
    const nowMs = this.nowMs(i);
    this.#elapsedMs += 1;
    if (act === "add") replica.add(nowMs, BigInt(amount - 400));
    else if (act === "add much") replica.add(nowMs, (amount % 2 === 0 ? INT64_MAX : INT64_MIN) / 2n);
    else if (act === "set") replica.set(nowMs, BigInt(amount * 1000));
    else if (act === "set expiring") replica.set(nowMs, BigInt(amount * 1000), nowMs + 1 + amount * 3);
    else if (act === "expire") replica.expire(nowMs, amount % 5 === 0 ? 0 : nowMs + 1 + amount * 3);
    else if (act === "delete") replica.delete(nowMs);
    else if (act === "elsewhere") replica.writeElsewhere();
    else if (act === "copy") this.#copies.push(replica.copy());
    else if (act === "take") this.#take(replica, amount);
    else if (act === "meet") this.#meet(i, amount % REPLICAS);
    else if (act === "round") replica.beginRound();
    else if (act === "drop") replica.finishRound(REPLICAS - 1);
    else if (act === "drop alone") this.#dropAlone(i);
    else if (act === "repair") this.#repair(replica, amount);
    else if (act === "wait") this.#wait(1000 + amount * 5);
    else assert.fail(act);
  }

  #take(replica: ModelReplica, amount: number): void {
    const copy = this.#copies.at(amount % Math.max(this.#copies.length, 1));
    if (copy !== undefined && copy.from !== replica.id) replica.take(copy);
  }

  /** What a read found elsewhere: a record, and nothing of what else is there. */
  #repair(replica: ModelReplica, amount: number): void {
    const copy = this.#copies.at(amount % Math.max(this.#copies.length, 1));
    if (copy !== undefined && copy.from !== replica.id) replica.takeRecord(copy);
  }

  /** A whole round of one replica; the others drop nothing. */
  #dropAlone(i: number): void {
    this.#sweep();
    this.replicas[i].beginRound();
    for (let round = 0; round < 2; round += 1) this.#meetAll();
    this.replicas[i].finishRound(REPLICAS - 1);
  }

  #wait(ms: number): void {
    this.#elapsedMs += ms;
    this.#sweep();
  }

  #sweep(): void {
    for (const [i, replica] of this.replicas.entries()) replica.sweep(this.nowMs(i));
  }

  #meetAll(): void {
    for (const to of this.replicas) {
      for (const from of this.replicas) if (to !== from) to.take(from.copy());
    }
  }

  #meet(i: number, other: number): void {
    if (i === other) return;
    const copy = this.replicas[other].copy();
    this.#copies.push(copy);
    this.replicas[i].take(copy);
  }

  /** Everybody hears everything; values whose time has come go. */
  settle(): void {
    this.#sweep();
    for (let round = 0; round < 3; round += 1) this.#meetAll();
  }

  dropTombstones(): void {
    for (let round = 0; round < 3; round += 1) {
      for (const replica of this.replicas) replica.beginRound();
      this.settle();
      for (const replica of this.replicas) replica.finishRound(REPLICAS - 1);
      this.settle();
    }
  }

  /** Until all that expires has. */
  waitLong(): void {
    this.#wait(10_000);
  }

  /** The value that all show; fails when they differ. */
  agreedValue(): string | undefined {
    const [value, ...others] = this.replicas.map((replica, i) => replica.value(this.nowMs(i)));
    for (const other of others) assert.equal(other, value);
    return value;
  }

  /** Comparing trees finds nothing. */
  agreedFingerprint(): void {
    const [first, ...others] = this.replicas.map(({ record }) => fingerprintOf(record));
    for (const other of others) assert.equal(other, first);
  }

  agreedRecord(): EventualRecord | undefined {
    const [first, ...others] = this.replicas;
    for (const other of others) {
      const same =
        first.record === undefined || other.record === undefined
          ? first.record === other.record
          : sameRecord(first.record, other.record);
      if (!same) assert.deepEqual(other.record, first.record);
    }
    return first.record;
  }
}

function fingerprintOf(record: EventualRecord | undefined): string {
  if (record === undefined) return "";
  const fingerprint = new Fingerprint();
  fingerprint.ofRecord("k", record);
  return `${fingerprint.high} ${fingerprint.low}`;
}

/** The latest base, and every addition that no base has seen. */
function expectedValue(written: Iterable<Written>): string | undefined {
  const all = [...written];
  const bases = all.filter((each) => each.kind === "base");
  const last = bases.toSorted((a, b) => compareStamped(a.write, b.write)).at(-1);
  const left = all.filter((each) => each.kind === "addition" && !bases.some(({ over }) => over.has(each)));
  if (last?.value === undefined && left.length === 0) return undefined;
  let value = last?.value ?? 0n;
  for (const each of left) if (each.kind === "addition") value += each.by;
  if (value > INT64_MAX) return INT64_MAX.toString();
  return (value < INT64_MIN ? INT64_MIN : value).toString();
}

const skews = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: -400, max: 400 }), fc.integer({ min: -3e7, max: 3e7 })),
  { minLength: REPLICAS, maxLength: REPLICAS },
);
const small = fc.array(fc.integer({ min: -200, max: 200 }), { minLength: REPLICAS, maxLength: REPLICAS });

const RUNS = { numRuns: 3000 };
const LIFE = ["add", "add", "set", "delete", "elsewhere", "copy", "take", "take", "meet", "meet", "meet"];

test("a counter ends equal everywhere, at its latest base and every addition that no base has seen", () => {
  fc.assert(
    fc.property(skews, steps(...LIFE, "add much"), (aheadMs, life) => {
      const world = new World(aheadMs);
      for (const step of life) world.do(step);
      world.settle();
      world.agreedRecord();
      assert.equal(world.agreedValue(), expectedValue(world.replicas[0].known));
    }),
    RUNS,
  );
});

test("that stays so when deletions are dropped on the way, and copies from any time come late", () => {
  fc.assert(
    fc.property(skews, steps(...LIFE, "delete", "round", "drop", "drop alone", "repair"), (aheadMs, life) => {
      const world = new World(aheadMs);
      for (const step of life) world.do(step);
      world.settle();
      assert.equal(world.agreedValue(), expectedValue(world.replicas[0].known));
      world.dropTombstones();
      assert.equal(world.agreedValue(), expectedValue(world.replicas[0].known));
      world.agreedFingerprint();
      if (world.agreedValue() === undefined) assert.equal(world.agreedRecord(), undefined);
    }),
    { numRuns: 3000 },
  );
});

test("keys that expire end equal everywhere, also when what has expired is dropped before another adds to it", () => {
  const acts = [
    "add",
    "add",
    "set expiring",
    "expire",
    "delete",
    "meet",
    "wait",
    "wait",
    "drop alone",
    "drop alone",
  ];
  fc.assert(
    fc.property(small, steps(...acts), (aheadMs, life) => {
      const world = new World(aheadMs);
      for (const step of life) world.do(step);
      world.settle();
      world.waitLong();
      world.settle();
      world.agreedValue();
      world.dropTombstones();
      world.agreedFingerprint();
      if (world.agreedValue() === undefined) assert.equal(world.agreedRecord(), undefined);
    }),
    { numRuns: 2000 },
  );
});
