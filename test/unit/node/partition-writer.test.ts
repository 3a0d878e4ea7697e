/** The origin's side of writes, against a host that does what each test says: what is sent, and who is told what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { decodeCommandFrom } from "../../../src/commands/encoding.js";
import { OK, type Reply } from "../../../src/commands/reply.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { Args } from "../../../src/commands/types.js";
import { type Bytes, EMPTY_BYTES } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { GroupId } from "../../../src/core/ids.js";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  type BatchLevel,
  readBatchHeader,
} from "../../../src/node/batch.js";
import { makeArgs } from "../../../src/node/node-commands.js";
import type { AppliedBatch } from "../../../src/node/partition-machine.js";
import { PartitionWriter, type WriterHost } from "../../../src/node/partition-writer.js";
import type { Sending } from "../../../src/node/refusal.js";
import { GROUP } from "./partition-fixture.js";

const TIMEOUT_MS = 1_000;

interface Sent extends BatchHeader {
  readonly data: Bytes;
  /** The keys that its commands set. */
  readonly keys: readonly string[];
}

function keysOf(batch: Bytes): string[] {
  const keys: string[] = [];
  const args = new Args(EMPTY_BYTES);
  const reader = new ByteReader(batch, "batch", "INTERNAL", BATCH_HEADER_BYTES);
  while (reader.remaining > 0) {
    decodeCommandFrom(reader, args);
    keys.push(args.key(1));
  }
  return keys;
}

class ScriptedHost implements WriterHost {
  readonly requestTimeoutMs = TIMEOUT_MS;
  readonly writer: PartitionWriter;
  readonly sent: Sent[] = [];
  readonly openSessions = new Set<number>();
  nowMs = 0;
  canSend = true;
  refusal: "unreachable" | "overloaded" = "unreachable";
  lost = false;
  #sessions = 0;

  constructor() {
    this.writer = new PartitionWriter(GROUP, this);
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  newSession(): number {
    this.#sessions += 1;
    return this.#sessions;
  }

  sendBatch(_group: GroupId, batch: Bytes): Sending {
    if (!this.canSend) return this.refusal;
    this.sent.push({ ...readBatchHeader(batch), data: batch, keys: keysOf(batch) });
    return "sent";
  }

  wakeWriter(): void {
    // The tests flush by themselves.
  }

  wakeWriterAfter(): void {
    // As above.
  }

  isLost(): boolean {
    return this.lost;
  }

  sessionOpened(session: number): void {
    this.openSessions.add(session);
  }

  sessionClosed(session: number): void {
    this.openSessions.delete(session);
  }

  // --- What tests do ---

  /** Sets `keys`, one command each, and returns where their answers will be. */
  set(keys: readonly string[], level: BatchLevel = "majority"): Reply[] {
    const answers: Reply[] = [];
    for (const key of keys) {
      const spec = COMMANDS.byName("SET");
      assert(spec !== undefined);
      const onReply = (reply: Reply) => answers.push(reply);
      this.writer.submit(spec.opcode, makeArgs(["SET", key, "v"]), level, { onReply }, undefined);
    }
    return answers;
  }

  /** One batch of `keys`, sent. */
  send(...keys: readonly string[]): Reply[] {
    const answers = this.set(keys);
    this.writer.flush();
    return answers;
  }

  get last(): Sent {
    const last = this.sent.at(-1);
    assert(last !== undefined, "nothing was sent");
    return last;
  }

  result(batch: Sent, status: AppliedBatch["status"] = "applied", replies = batch.keys.length): void {
    const { session, sequence } = batch;
    const list = Array.from({ length: replies }, () => OK);
    this.writer.onResult({ session, sequence, status, replies: list });
  }

  at(nowMs: number): void {
    this.nowMs = nowMs;
    this.writer.sweep();
  }
}

function codesOf(answers: readonly Reply[]): string[] {
  return answers.map((answer) => (answer instanceof MinikeyError ? answer.code : "done"));
}

test("what is submitted in one turn is one batch, and the next turn's is the next number", () => {
  const host = new ScriptedHost();
  const first = host.send("a", "b");
  const second = host.send("c");
  assert.deepEqual(
    host.sent.map(({ sequence, keys }) => [sequence, keys]),
    [
      [1, ["a", "b"]],
      [2, ["c"]],
    ],
  );
  host.result(host.sent[0]);
  host.result(host.sent[1]);
  assert.deepEqual([first, second], [[OK, OK], [OK]]);
  assert.equal(host.writer.pending, 0);
  assert(host.writer.isIdle);
});

test("another level starts another batch", () => {
  const host = new ScriptedHost();
  host.set(["a"], "majority");
  host.set(["b"], "all");
  host.writer.flush();
  assert.deepEqual(
    host.sent.map(({ level, keys }) => [level, keys]),
    [
      ["majority", ["a"]],
      ["all", ["b"]],
    ],
  );
});

test("what is done is acknowledged with the next batch, but nothing behind a gap", () => {
  const host = new ScriptedHost();
  for (const key of ["a", "b", "c"]) host.send(key);
  host.result(host.sent[0]);
  host.result(host.sent[2]);
  host.send("d");
  assert.equal(host.last.acked, 1);
  host.result(host.sent[1]);
  host.send("e");
  assert.equal(host.last.acked, 3);
});

test("a batch that was answered before the one in front of it is not answered again at its deadline", () => {
  const host = new ScriptedHost();
  const first = host.send("a");
  const second = host.send("b");
  host.result(host.sent[1]);
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(first), ["OUTCOME_UNKNOWN"]);
  assert.deepEqual(second, [OK]);
  assert.equal(host.writer.pending, 0);
});

test("what was never sent is certainly not applied at its deadline, and its number is sent empty", () => {
  const host = new ScriptedHost();
  host.send("a");
  host.result(host.last);
  host.canSend = false;
  const answers = host.send("b");
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(answers), ["NO_QUORUM"]);
  host.canSend = true;
  host.at(TIMEOUT_MS + 1);
  assert.deepEqual([host.last.sequence, host.last.keys], [2, []]);
});

test("what a leader refused is certainly not applied, what it may have proposed is not certain", () => {
  for (const isRefused of [true, false]) {
    const host = new ScriptedHost();
    const answers = host.send("a");
    if (isRefused) host.writer.onRefused(host.last.session, host.last.sequence, "unreachable");
    host.canSend = false;
    host.at(TIMEOUT_MS);
    assert.deepEqual(codesOf(answers), [isRefused ? "NO_QUORUM" : "OUTCOME_UNKNOWN"]);
  }
});

test("what a leader that has too much to do refused until the deadline is told so, and what waited behind it", () => {
  for (const isRemote of [true, false]) {
    const host = new ScriptedHost();
    host.refusal = "overloaded";
    host.canSend = isRemote;
    const answers = Array.from({ length: 65 }, (_, i) => host.send(`k${i}`));
    for (const { session, sequence } of host.sent) host.writer.onRefused(session, sequence, "overloaded");
    host.canSend = false;
    host.at(TIMEOUT_MS);
    assert.deepEqual(new Set(answers.flatMap(codesOf)), new Set(["OVERLOADED"]));
  }
});

test("the last refusal counts: a leader that went after it had refused is told of", () => {
  const host = new ScriptedHost();
  const answers = host.send("a");
  host.writer.onRefused(host.last.session, host.last.sequence, "overloaded");
  host.canSend = false;
  host.at(50);
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(answers), ["NO_QUORUM"]);
});

test("what waits for a transaction's lock until the deadline is told so", () => {
  const host = new ScriptedHost();
  const answers = host.send("a");
  host.result(host.last, "blocked", 0);
  host.nowMs = TIMEOUT_MS - 1;
  host.writer.flush();
  host.result(host.last, "blocked", 0);
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(answers), ["CONFLICT"]);
});

test("without a leader for long, what none can have taken is refused at once, and the rest at its deadline", () => {
  const host = new ScriptedHost();
  const uncertain = host.send("a");
  host.canSend = false;
  const waiting = host.send("b");
  host.at(50);
  assert.deepEqual([...uncertain, ...waiting], []);
  host.lost = true;
  host.at(100);
  assert.deepEqual([codesOf(uncertain), codesOf(waiting)], [[], ["NO_QUORUM"]]);
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(uncertain), ["OUTCOME_UNKNOWN"]);
  host.lost = false;
  host.canSend = true;
  host.writer.onLeaderFound();
  const later = host.send("c");
  for (const batch of host.sent) host.result(batch);
  assert.deepEqual(later, [OK]);
});

test("a batch that may lie in one log keeps its commands, though another copy of it was refused there", () => {
  const host = new ScriptedHost();
  host.send("a");
  const answers = host.send("b");
  const second = host.last;
  // Another leader: both are sent again, and now two copies of each may be proposed.
  host.writer.onLeaderFound();
  // One copy met a gap. Two nodes say so: this node's own replica, and the leader.
  host.result(second, "refused", 0);
  host.result(second, "refused", 0);
  host.canSend = false;
  host.at(TIMEOUT_MS);
  assert.deepEqual(codesOf(answers), ["OUTCOME_UNKNOWN"], "the other copy may be applied yet");
  host.canSend = true;
  host.at(TIMEOUT_MS + 5_000);
  const copies = host.sent.filter(({ sequence }) => sequence === second.sequence);
  assert(
    copies.every(({ keys }) => keys.length === 1),
    "one number stands for the same commands always",
  );
});

test("a batch that was refused because another was missing is sent again soon", () => {
  const host = new ScriptedHost();
  host.send("a");
  host.send("b");
  host.result(host.sent[1], "refused", 0);
  host.at(60);
  assert.deepEqual(
    host.sent.map(({ sequence }) => sequence),
    [1, 2, 2],
  );
});

test("a repeat whose replies are forgotten ends, and its commands hear that they may be done", () => {
  const host = new ScriptedHost();
  const answers = host.send("a");
  host.result(host.last, "acknowledged", 0);
  assert.deepEqual(codesOf(answers), ["OUTCOME_UNKNOWN"]);
  assert(host.writer.isIdle, "else it is sent for ever");
});

test("behind a lock, what is left goes on in a new session, in order, and what came before is still waited for", () => {
  const host = new ScriptedHost();
  const first = host.send("a");
  const second = host.send("b", "c", "d");
  const third = host.send("e");
  const [a, bcd] = host.sent;
  host.result(bcd, "blocked", 1);
  assert.deepEqual([first, second, third], [[], [OK], []]);
  host.at(50);
  const again = host.sent.slice(3).filter(({ session }) => session !== a.session);
  assert.deepEqual(
    again.map(({ sequence, keys }) => [sequence, keys]),
    [
      [1, ["c", "d"]],
      [2, ["e"]],
    ],
  );
  host.result(a);
  for (const batch of again) host.result(batch);
  assert.deepEqual([first, second, third], [[OK], [OK, OK, OK], [OK]]);
  assert(host.writer.isIdle);
  host.writer.close(new MinikeyError("STOPPING", "the test is over"));
  assert.deepEqual([...host.openSessions], [], "sessions that are over are forgotten");
});

test("what a close refused is not sent by a flush that was due", () => {
  const host = new ScriptedHost();
  const first = host.set(["a"]);
  host.writer.flush();
  const second = host.set(["b"]);
  host.writer.close(new MinikeyError("STOPPING", "the test is over"));
  host.writer.flush();
  host.at(50);
  assert.deepEqual(
    host.sent.map(({ keys }) => keys),
    [["a"]],
  );
  const codes = [first, second].map(([reply]) => (reply instanceof MinikeyError ? reply.code : reply));
  assert.deepEqual(codes, ["OUTCOME_UNKNOWN", "STOPPING"]);
});

test("what waits behind a lock until its deadline does not count as waiting any more", () => {
  const host = new ScriptedHost();
  const big = "k".repeat(1_000);
  // 64 MiB may wait; many times that passes through here.
  for (let round = 1; round <= 3_000; round += 1) {
    const roundMs = round * 2 * TIMEOUT_MS;
    host.nowMs = roundMs;
    host.canSend = true;
    host.send("locked");
    const locked = host.last;
    const answers = host.send(...Array.from({ length: 60 }, () => big));
    assert.notEqual(codesOf(answers)[0], "OVERLOADED", `round ${round}`);
    host.result(locked, "blocked", 0);
    host.canSend = false;
    host.at(roundMs + TIMEOUT_MS);
    assert.equal(answers.length, 60);
  }
});

test("too much that waits is refused at once", () => {
  const host = new ScriptedHost();
  host.canSend = false;
  const value = "k".repeat(1_000_000);
  const answers: Reply[] = [];
  for (let i = 0; i < 200; i += 1) {
    answers.push(...host.set([value]));
    host.writer.flush();
  }
  assert(codesOf(answers).includes("OVERLOADED"));
});

test("no more than the window is under way, and what waits is cut into batches of a bounded size", () => {
  const host = new ScriptedHost();
  for (let i = 0; i < 100; i += 1) host.send(`k${i}`);
  assert.equal(host.sent.length, 64);
  host.result(host.sent[0]);
  host.writer.flush();
  assert.equal(host.last.sequence, 65);
  assert.equal(host.last.keys.length, 36, "what gathered meanwhile is one batch");
});

test("a session that was not used for long is not used again", () => {
  const host = new ScriptedHost();
  host.send("a");
  host.result(host.last);
  host.nowMs = 61_000;
  host.send("b");
  assert.notEqual(host.sent[0].session, host.last.session);
  assert.equal(host.last.sequence, 1);
  assert.deepEqual([...host.openSessions], [host.last.session]);
});

function forgotten(host: ScriptedHost, batch: Sent, second: number): void {
  const { session, sequence } = batch;
  host.writer.onResult({ session, sequence, status: "forgotten", replies: [second] });
}

test("a session that a partition may have forgotten is opened anew, later, when nothing was carried out in it", () => {
  const host = new ScriptedHost();
  host.nowMs = 5_000;
  const answers = [host.send("a"), host.send("b")];
  const [first] = host.sent;
  assert.equal(first.acked, 5, "opened in second 5");
  forgotten(host, first, 70);
  forgotten(host, first, 70);
  host.writer.flush();
  const again = host.sent.slice(2);
  assert.deepEqual(
    again.map(({ sequence, acked, keys }) => [sequence, acked, keys]),
    [
      [1, 71, ["a"]],
      [2, 0, ["b"]],
    ],
  );
  assert.notEqual(again[0].session, first.session);
  for (const batch of again) host.result(batch);
  assert.deepEqual(answers, [[OK], [OK]]);
  assert(host.writer.isIdle);
});

test("what may have been carried out in a forgotten session is not sent in another", () => {
  for (const isFirst of [true, false]) {
    const host = new ScriptedHost();
    if (!isFirst) {
      host.send("earlier");
      host.result(host.last);
    }
    const answers = host.send("a");
    // Two copies of it may lie in logs.
    host.writer.onLeaderFound();
    forgotten(host, host.last, 0);
    host.writer.flush();
    assert.deepEqual(codesOf(answers), ["OUTCOME_UNKNOWN"]);
    const later = host.send("b");
    assert.deepEqual([host.last.sequence, host.last.acked, host.last.keys], [1, 1, ["b"]]);
    host.result(host.last);
    assert.deepEqual(later, [OK]);
    assert.equal(host.writer.pending, 0);
  }
});
