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
  #sessions = 0;

  constructor() {
    this.writer = new PartitionWriter(GROUP, this);
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  newSession(): number {
    this.#sessions += 1;
    return this.#sessions;
  }

  sendBatch(_group: GroupId, batch: Bytes): boolean {
    if (!this.canSend) return false;
    this.sent.push({ ...readBatchHeader(batch), data: batch, keys: keysOf(batch) });
    return true;
  }

  wakeWriter(): void {
    // The tests flush by themselves.
  }

  wakeWriterAfter(): void {
    // As above.
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
