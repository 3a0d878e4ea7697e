/** Two replicas compare their trees and become equal; what each then says to have, it has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { allocBytes, asBytes, type Bytes, concatBytes, type Key } from "../../../src/core/bytes.js";
import { NO_STAMP } from "../../../src/core/hybrid-clock.js";
import { type ReplicaId, replicaId } from "../../../src/core/ids.js";
import { FINGERPRINT_BYTES, LEAVES_PER_NODE, NODES } from "../../../src/eventual/fingerprints.js";
import { type RecordCollector, SILENCE_MS, type TreeHost } from "../../../src/eventual/reconcile.js";
import { AnsweringSession } from "../../../src/eventual/reconcile-answering.js";
import { AskingSession } from "../../../src/eventual/reconcile-asking.js";
import {
  decodeSync,
  encodeSync,
  type Standing,
  type SyncMessage,
} from "../../../src/eventual/sync-message.js";
import { VersionVector } from "../../../src/eventual/version-vector.js";

/** Of few leaves, so that each has many keys. */
const LEAVES_USED = 3;
const leafOf = (key: Key): number => [0, 1, 700][key.charCodeAt(key.length - 1) % LEAVES_USED];

type Job = () => void;

/** A replica whose records are numbers: the larger is the later. What it takes is merged when the test says so. */
class ToyReplica implements TreeHost {
  readonly id: ReplicaId;
  readonly records = new Map<Key, number>();
  readonly vector = new VersionVector();
  /** What was taken and is not merged yet. */
  readonly merges: Job[] = [];
  /** What the other had, and said that it had, when a session began: to be here before that vector is taken over. */
  readonly owed: { readonly vector: VersionVector; readonly records: ReadonlyMap<Key, number> }[] = [];
  adoptions = 0;
  largestBatch = 0;
  readonly #send: (from: ToyReplica, message: SyncMessage) => number;
  #sessions: number;

  constructor(id: number, send: (from: ToyReplica, message: SyncMessage) => number) {
    this.id = replicaId(id);
    this.#sessions = id * 1_000;
    this.#send = send;
  }

  standing(): Standing {
    return { vector: this.vector.copy(), isComplete: true, members: 1, floor: NO_STAMP, given: 0 };
  }

  nextSession(): number {
    this.#sessions += 1;
    return this.#sessions;
  }

  #sum(leaf: number): Bytes {
    const bytes = allocBytes(FINGERPRINT_BYTES);
    for (const [key, number] of this.records) {
      if (leafOf(key) !== leaf) continue;
      let hash = 17;
      for (const char of `${key}=${number}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x9e37_79b1) >>> 0;
      bytes.writeUInt32LE((bytes.readUInt32LE(0) ^ hash) >>> 0, 0);
      bytes.writeUInt32LE((bytes.readUInt32LE(4) + hash) % 2 ** 32, 4);
    }
    return bytes;
  }

  leaves(node: number): Bytes {
    return concatBytes(
      Array.from({ length: LEAVES_PER_NODE }, (_, i) => this.#sum(node * LEAVES_PER_NODE + i)),
    );
  }

  nodes(): Bytes {
    const empty = allocBytes(FINGERPRINT_BYTES);
    const used = new Map([
      [0, concatBytes([this.#sum(0), this.#sum(1)])],
      [21, this.#sum(700)],
    ]);
    return concatBytes(
      Array.from({ length: NODES }, (_, node) => {
        const sums = used.get(node);
        if (sums === undefined) return empty;
        const mixed = allocBytes(FINGERPRINT_BYTES);
        for (const [i, byte] of sums.entries()) mixed[i % 8] = (mixed[i % 8] * 31 + byte) & 0xff;
        return mixed;
      }),
    );
  }

  keysOfLeaf(leaf: number, after: Key): Iterable<Key> {
    return [...this.records.keys()].filter((key) => leafOf(key) === leaf && key > after).sort();
  }

  writeFingerprint(key: Key, target: Bytes, at: number): void {
    target.writeUInt32LE(this.records.get(key) ?? 0, at);
    target.writeUInt32LE(0, at + 4);
  }

  newBatch(): RecordCollector {
    const lines: string[] = [];
    return {
      get sizeBytes() {
        return lines.reduce((sum, line) => sum + line.length + 100, 0);
      },
      get count() {
        return lines.length;
      },
      add: (key) => {
        const number = this.records.get(key);
        if (number !== undefined) lines.push(`${key} ${number}`);
      },
      toBytes: () => asBytes(Buffer.from(lines.join("\n"))),
    };
  }

  take(batch: Bytes, onMerged: () => void): number {
    const lines = batch.utf8Slice().split("\n");
    this.largestBatch = Math.max(this.largestBatch, lines.length);
    this.merges.push(() => {
      for (const line of lines) {
        const [key, number] = line.split(" ");
        this.records.set(key, Math.max(this.records.get(key) ?? 0, Number(number)));
      }
      onMerged();
    });
    return lines.length;
  }

  adopt(vector: VersionVector, onMerged: () => void): void {
    const owed = this.owed.find((each) => each.vector.equals(vector));
    assert.ok(owed !== undefined, "the vector is of the beginning of a session");
    for (const [key, number] of owed.records) {
      const here = this.records.get(key) ?? 0;
      assert.ok(
        here >= number,
        `${this.id} adopts, and has ${key} of ${here}, the other began with ${number}`,
      );
    }
    this.adoptions += 1;
    this.merges.push(() => {
      this.vector.mergeFrom(vector);
      onMerged();
    });
  }

  send(_to: ReplicaId, message: SyncMessage): number {
    return this.#send(this, message);
  }
}

class Pair {
  readonly frames: { readonly from: ToyReplica; readonly bytes: Bytes }[] = [];
  readonly a: ToyReplica;
  readonly b: ToyReplica;
  asking: AskingSession | undefined;
  answering: AnsweringSession | undefined;
  sentBytes = 0;
  nowMs = 0;

  constructor() {
    const send = (from: ToyReplica, message: SyncMessage): number => {
      const bytes = concatBytes(encodeSync(from.id, this.#other(from).id, message));
      this.frames.push({ from, bytes });
      this.sentBytes += bytes.length;
      return bytes.length;
    };
    this.a = new ToyReplica(1, send);
    this.b = new ToyReplica(2, send);
  }

  #other(replica: ToyReplica): ToyReplica {
    return replica === this.a ? this.b : this.a;
  }

  begin(): void {
    this.b.owed.push({ records: new Map(this.a.records), vector: this.a.vector.copy() });
    this.asking = new AskingSession(this.a, this.b.id, this.nowMs, () => undefined);
  }

  write(replica: ToyReplica, key: Key): void {
    const number = replica.vector.get(replica.id) + 1;
    replica.vector.advance(replica.id, number);
    replica.records.set(key, (replica.records.get(key) ?? 0) * 2 + number * 10 + replica.id);
  }

  deliver({ from, bytes }: { readonly from: ToyReplica; readonly bytes: Bytes }): void {
    const { message } = decodeSync(new ByteReader(bytes, "sync"));
    if (message.type === "records" || message.type === "vector") return;
    if (from === this.a && message.type === "begin") {
      if (this.answering?.theirs === message.session) return;
      this.a.owed.push({ records: new Map(this.b.records), vector: this.b.vector.copy() });
      this.answering = new AnsweringSession(
        this.b,
        this.a.id,
        message,
        bytes.length,
        this.nowMs,
        () => undefined,
      );
      return;
    }
    const session = from === this.a ? this.answering : this.asking;
    if (session?.id === message.session) session.onMessage(message, bytes.length, this.nowMs);
  }

  /** Everything arrives, and is merged, in its order. */
  settle(): void {
    for (let round = 0; round < 10_000; round += 1) {
      const frame = this.frames.shift();
      const merge = this.a.merges.shift() ?? this.b.merges.shift();
      if (frame === undefined && merge === undefined) return;
      merge?.();
      if (frame !== undefined) this.deliver(frame);
    }
    assert.fail("it never ends");
  }
}

const keyOf = (i: number): Key => `key${i}`;

test("replicas that differ everywhere are equal after one session, in bounded pieces", () => {
  const pair = new Pair();
  for (let i = 0; i < 3_000; i += 1) {
    if (i % 3 !== 0) pair.write(pair.a, keyOf(i));
    if (i % 3 !== 1) pair.write(pair.b, keyOf(i));
  }
  pair.begin();
  pair.settle();
  assert.equal(pair.asking?.outcome, "done");
  assert.equal(pair.answering?.outcome, "done");
  assert.deepEqual(pair.a.records, pair.b.records);
  assert.ok(pair.a.vector.equals(pair.b.vector));
  assert.ok(pair.a.largestBatch < 700 && pair.b.largestBatch < 700);
});

test("an empty replica gets everything, and an empty partner, too", () => {
  for (const full of ["a", "b"] as const) {
    const pair = new Pair();
    for (let i = 0; i < 2_500; i += 1) pair.write(pair[full], keyOf(i));
    pair.begin();
    pair.settle();
    assert.equal(pair.asking?.outcome, "done");
    assert.equal(pair.a.records.size, 2_500);
    assert.equal(pair.b.records.size, 2_500);
    assert.ok(pair.a.vector.equals(pair.b.vector));
  }
});

test("equal replicas adopt each other's vectors for a kilobyte", () => {
  const pair = new Pair();
  for (let i = 0; i < 1_000; i += 1) {
    pair.a.records.set(keyOf(i), 7);
    pair.b.records.set(keyOf(i), 7);
  }
  pair.a.vector.advance(pair.a.id, 5);
  pair.b.vector.advance(pair.b.id, 9);
  pair.begin();
  pair.settle();
  assert.ok(pair.a.vector.equals(pair.b.vector));
  assert.ok(pair.sentBytes < 1_000, `${pair.sentBytes} bytes`);
});

test("a session in which nothing happens ends", () => {
  const pair = new Pair();
  pair.begin();
  pair.asking?.tick(SILENCE_MS - 1);
  assert.equal(pair.asking?.outcome, undefined);
  pair.asking?.tick(SILENCE_MS + 1);
  assert.equal(pair.asking?.outcome, "failed");
});

test("an answer that makes no progress ends the session", () => {
  const pair = new Pair();
  pair.write(pair.b, "k");
  pair.begin();
  for (const frame of pair.frames.splice(0)) pair.deliver(frame);
  for (const frame of pair.frames.splice(0)) pair.deliver(frame);
  const { asking } = pair;
  assert.ok(asking !== undefined);
  asking.onMessage(
    {
      type: "answer",
      session: asking.id,
      page: 1,
      done: 0,
      through: "",
      wanted: [],
      batch: allocBytes(0),
    },
    0,
    0,
  );
  assert.equal(asking.outcome, "failed");
});

type Step = "write a" | "write b" | "deliver" | "lose" | "repeat" | "late" | "merge a" | "merge b" | "anew";
const STEPS: readonly Step[] = [
  "write a",
  "write b",
  "deliver",
  "deliver",
  "deliver",
  "deliver",
  "lose",
  "repeat",
  "late",
  "merge a",
  "merge b",
  "anew",
];

function step(pair: Pair, what: Step, pick: number): void {
  const { frames, a, b } = pair;
  if (what === "write a") pair.write(a, keyOf(pick % 40));
  else if (what === "write b") pair.write(b, keyOf(pick % 40));
  else if (what === "merge a") a.merges.shift()?.();
  else if (what === "merge b") b.merges.shift()?.();
  else if (what === "anew") {
    if (pick % 6 !== 0) return;
    pair.asking?.fail();
    pair.begin();
  } else {
    const frame = frames[pick % Math.max(1, Math.min(3, frames.length))];
    if (frame === undefined) return;
    if (what === "repeat") pair.deliver(frame);
    else if (what === "late") frames.push(...frames.splice(0, 1));
    else if (what === "lose" && pick % 5 === 0) frames.splice(frames.indexOf(frame), 1);
    else if (what === "deliver") {
      frames.splice(frames.indexOf(frame), 1);
      pair.deliver(frame);
    }
  }
}

test("whatever is lost, late or there twice, a vector is taken over only by who has what it says", (t) => {
  let adoptions = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat()), { minLength: 20, maxLength: 250 }),
      (steps) => {
        const pair = new Pair();
        for (let i = 0; i < 40; i += 1) pair.write(i % 2 === 0 ? pair.a : pair.b, keyOf(i));
        pair.begin();
        for (const [what, pick] of steps) step(pair, what, pick);
        adoptions += pair.a.adoptions + pair.b.adoptions;
        // The network is well again.
        pair.settle();
        pair.asking?.fail();
        pair.settle();
        pair.begin();
        pair.settle();
        assert.equal(pair.asking?.outcome, "done");
        assert.deepEqual(pair.a.records, pair.b.records);
        assert.ok(pair.a.vector.equals(pair.b.vector));
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(adoptions > 100);
  t.diagnostic(`${adoptions} adoptions while the network was bad`);
});
