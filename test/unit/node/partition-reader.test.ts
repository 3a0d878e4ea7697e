/** Reads of one partition, with a real replica or another node that answers: who gets which answer, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plain } from "../../../sim/cluster/client.js";
import { ByteReader } from "../../../src/codec/byte-reader.js";
import { decodeCommandFrom } from "../../../src/commands/encoding.js";
import { type Reply, Slice } from "../../../src/commands/reply.js";
import { COMMANDS } from "../../../src/commands/table.js";
import { Args } from "../../../src/commands/types.js";
import { type Bytes, EMPTY_BYTES, latin1ToBytes } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import type { GroupId } from "../../../src/core/ids.js";
import { logIndex, term } from "../../../src/core/ids.js";
import { encodePreparePart, PURGE } from "../../../src/node/node-commands.js";
import { PartitionReader, type ReaderHost, type ReadGuarantee } from "../../../src/node/partition-reader.js";
import type { Sending } from "../../../src/node/refusal.js";
import type { ReplicaGroup } from "../../../src/node/replica-group.js";
import { LEADER, LoneReplica, SELF, snapshotAt } from "./lone-replica.js";
import { batchOf, commandEntry, GROUP, readOf } from "./partition-fixture.js";

const TIMEOUT_MS = 1_000;

interface Asked {
  readonly request: number;
  readonly guarantee: ReadGuarantee;
  readonly keys: readonly string[];
}

class ScriptedHost implements ReaderHost {
  readonly requestTimeoutMs = TIMEOUT_MS;
  readonly reader: PartitionReader;
  readonly asked: Asked[] = [];
  readonly purged: { key: string; done: (reply: Reply) => void }[] = [];
  local: ReplicaGroup | undefined;
  canSend = true;
  refusal: "unreachable" | "overloaded" = "unreachable";
  lost = false;
  nowMs = 0;
  clockMs = 0;
  #requests = 0;

  constructor(local?: ReplicaGroup) {
    this.local = local;
    this.reader = new PartitionReader(GROUP, this);
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.clockMs;
  }

  replica(): ReplicaGroup | undefined {
    return this.local;
  }

  isLost(): boolean {
    return this.lost;
  }

  wakeReader(): void {
    // The tests flush by themselves.
  }

  wakeReaderAfter(): void {
    // As above.
  }

  sendReads(_group: GroupId, request: number, guarantee: ReadGuarantee, commands: Bytes): Sending {
    if (!this.canSend) return this.refusal;
    const keys: string[] = [];
    const args = new Args(EMPTY_BYTES);
    const reader = new ByteReader(commands, "reads");
    while (reader.remaining > 0) {
      assert.equal(decodeCommandFrom(reader, args), COMMANDS.byName("GET")?.opcode);
      keys.push(args.key(1));
    }
    this.asked.push({ request, guarantee, keys });
    return "sent";
  }

  newRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }

  purge(_group: GroupId, args: Args, keyPosition: number, done: (reply: Reply) => void): void {
    this.purged.push({ key: args.key(keyPosition), done });
  }

  /** Where the answer to a `GET` will be. */
  get(key: string, guarantee: ReadGuarantee = "linearizable"): unknown[] {
    const { spec, args } = readOf("GET", key);
    const answers: unknown[] = [];
    const onReply = (reply: Reply) => answers.push(plain(reply));
    this.reader.submit(spec, args, guarantee, { onReply }, undefined);
    return answers;
  }

  at(nowMs: number): void {
    this.nowMs = nowMs;
    this.reader.sweep();
  }
}

function bytesReply(text: string): Reply {
  const bytes = latin1ToBytes(text);
  return new Slice(bytes, 0, bytes.length);
}

function codeOf(answers: readonly unknown[]): unknown {
  const [answer] = answers;
  return answer instanceof MinikeyError ? answer.code : answer;
}

/** Answers what the replica asks its leader for: everything up to `index` is committed. */
async function confirmReads(replica: LoneReplica, index: number): Promise<void> {
  await replica.pass();
  for (const message of replica.sent.splice(0)) {
    if (message.type !== "read-index") continue;
    replica.group.step({
      type: "read-index-response",
      from: LEADER,
      to: SELF,
      term: term(1),
      context: message.context,
      index: logIndex(index),
    });
  }
  await replica.pass();
}

/** A follower that has applied these commands, one entry each. */
async function followerWith(
  ...commands: readonly Parameters<typeof batchOf>[0]["commands"][number][]
): Promise<LoneReplica> {
  const replica = await new LoneReplica().start();
  const entries = commands.map((words, i) =>
    commandEntry(i + 1, batchOf({ session: 5, sequence: i + 1, commands: [words] })),
  );
  replica.append(1, { index: 0, term: 0 }, entries, entries.length);
  await replica.pass();
  replica.sent.length = 0;
  return replica;
}

const lockOf = (key: string) => {
  const checks = [{ key, version: -1 }];
  return [
    "TXN.PREPARE",
    "t",
    encodePreparePart({ participants: [GROUP], checks, writes: [], wantsValues: false }),
  ];
};

test("the reads of a turn are confirmed together and carried out here", async () => {
  const replica = await followerWith(["SET", "a", "1"], ["SET", "b", "2"]);
  const host = new ScriptedHost(replica.group);
  const a = host.get("a");
  const b = host.get("b");
  host.reader.flush();
  await replica.pass();
  assert.equal(replica.sent.filter(({ type }) => type === "read-index").length, 1);
  assert.deepEqual([a, b], [[], []]);
  await confirmReads(replica, 2);
  assert.deepEqual([a, b], [["1"], ["2"]]);
  assert.equal(host.reader.pending, 0);
});

test("a read waits until this replica has applied what was committed when it was asked", async () => {
  const replica = await followerWith(["SET", "a", "1"]);
  const host = new ScriptedHost(replica.group);
  const answers = host.get("a");
  host.reader.flush();
  await confirmReads(replica, 2);
  assert.deepEqual(answers, []);
  const entry = commandEntry(2, batchOf({ session: 5, sequence: 2, commands: [["SET", "a", "2"]] }));
  replica.append(1, { index: 1, term: 1 }, [entry], 2);
  await replica.pass();
  assert.deepEqual(answers, ["2"]);
});

test("without a replica another node is asked, and again when its answer does not come", () => {
  const host = new ScriptedHost();
  const answers = host.get("a");
  host.reader.flush();
  host.at(401);
  assert.deepEqual(
    host.asked.map(({ request, keys }) => [request, keys]),
    [
      [1, ["a"]],
      [2, ["a"]],
    ],
  );
  host.reader.onRemoteResult(1, [bytesReply("late")]);
  assert.deepEqual(answers, [], "an answer to an older question is not taken");
  host.reader.onRemoteResult(2, [bytesReply("1")]);
  assert.deepEqual(answers, ["1"]);
});

test("another node's answers go to the reads that it was asked for, whatever was answered meanwhile", async () => {
  const replica = await followerWith(["SET", "free", "f"], ["SET", "held", "h"], lockOf("held"));
  const host = new ScriptedHost(replica.group);
  const free = host.get("free");
  const held = host.get("held");
  host.reader.flush();
  await replica.pass();
  // No answer from the leader, but a snapshot begins to arrive: another node is asked.
  const { meta, first } = await snapshotAt(9);
  replica.snapshotPiece(1, meta, 0, first, false);
  await replica.pass();
  host.at(401);
  assert.deepEqual(
    host.asked.map(({ keys }) => keys),
    [["free", "held"]],
  );
  // The leader's answer comes after all.
  await confirmReads(replica, 3);
  assert.deepEqual([free, held], [["f"], []]);
  host.reader.onRemoteResult(1, [bytesReply("f"), bytesReply("h")]);
  assert.deepEqual([free, held], [["f"], ["h"]]);
});

test("a read of a key that a transaction holds waits for its end", async () => {
  const replica = await followerWith(["SET", "held", "h"], lockOf("held"));
  const host = new ScriptedHost(replica.group);
  const answers = host.get("held");
  host.reader.flush();
  await confirmReads(replica, 2);
  assert.deepEqual(answers, []);
  const abort = commandEntry(3, batchOf({ session: 5, sequence: 3, commands: [["TXN.ABORT", "t"]] }));
  replica.append(1, { index: 2, term: 1 }, [abort], 3);
  await replica.pass();
  host.at(11);
  await confirmReads(replica, 3);
  assert.deepEqual(answers, ["h"]);
});

test("what is overdue by this node's clock is shown or not as the leader says", async () => {
  const replica = await followerWith(["SET", "early", "e", "PX", "100"], ["SET", "late", "l", "PX", "100"]);
  const host = new ScriptedHost(replica.group);
  host.clockMs = 1_000;
  const early = host.get("early");
  host.reader.flush();
  await confirmReads(replica, 2);
  assert.deepEqual(early, [], "not before the leader was asked");
  assert.deepEqual(
    host.purged.map(({ key }) => key),
    ["early"],
  );
  // The leader purges it.
  const purge = { session: 5, sequence: 3, commands: [[PURGE.name, "early"]], timeMs: 150 };
  replica.append(1, { index: 2, term: 1 }, [commandEntry(3, batchOf(purge))], 3);
  host.purged[0].done(1);
  await confirmReads(replica, 3);
  assert.deepEqual(early, [null]);
});

test("what is not overdue by the leader's clock is shown", async () => {
  const replica = await followerWith(["SET", "key", "value", "PX", "100"]);
  const host = new ScriptedHost(replica.group);
  host.clockMs = 1_000;
  const answers = host.get("key");
  host.reader.flush();
  await confirmReads(replica, 1);
  const purge = { session: 5, sequence: 2, commands: [[PURGE.name, "key"]], timeMs: 50 };
  replica.append(1, { index: 1, term: 1 }, [commandEntry(2, batchOf(purge))], 2);
  host.purged[0].done(0);
  await confirmReads(replica, 2);
  assert.deepEqual(answers, ["value"]);
  assert.equal(host.purged.length, 1);
});

test("a stale read is answered at once by this node's replica, and by any holder without one", async () => {
  const replica = await followerWith(["SET", "a", "1"]);
  const host = new ScriptedHost(replica.group);
  assert.deepEqual(host.get("a", "stale"), ["1"]);
  const away = new ScriptedHost();
  const answers = away.get("a", "stale");
  away.reader.flush();
  assert.deepEqual(
    away.asked.map(({ guarantee }) => guarantee),
    ["stale"],
  );
  away.reader.onRemoteResult(1, [bytesReply("1")]);
  assert.deepEqual(answers, ["1"]);
});

test("a read that nobody can confirm ends with its time", () => {
  const host = new ScriptedHost();
  host.canSend = false;
  const answers = host.get("a");
  host.reader.flush();
  host.at(TIMEOUT_MS - 1);
  assert.deepEqual(answers, []);
  host.at(TIMEOUT_MS);
  assert.equal(codeOf(answers), "NO_QUORUM");
  assert.equal(host.reader.pending, 0);
});

test("a node that could not carry reads out is followed by another try", () => {
  const host = new ScriptedHost();
  const answers = host.get("a");
  host.reader.flush();
  host.reader.onRemoteResult(1, undefined);
  host.at(11);
  assert.equal(host.asked.length, 2);
  host.reader.onRemoteResult(2, [bytesReply("1")]);
  assert.deepEqual(answers, ["1"]);
});

test("when the reader closes, what has gathered and what was asked is answered", () => {
  const host = new ScriptedHost();
  const asked = host.get("a");
  host.reader.flush();
  const gathered = host.get("b");
  host.reader.close(new MinikeyError("STOPPING", "the node is stopping"));
  assert.deepEqual([codeOf(asked), codeOf(gathered)], ["STOPPING", "STOPPING"]);
  assert.equal(host.reader.pending, 0);
});

test("too many reads are refused at once", () => {
  const host = new ScriptedHost();
  host.canSend = false;
  let refused = 0;
  for (let i = 0; i < 65_600; i += 1) if (codeOf(host.get("a")) === "OVERLOADED") refused += 1;
  assert.equal(refused, 64);
});

test("a linearizable read is refused at once when no leader was known for long, a stale one waits for its answer", () => {
  const host = new ScriptedHost();
  host.canSend = false;
  const linearizable = host.get("a");
  host.reader.flush();
  const stale = host.get("a", "stale");
  host.reader.flush();
  host.lost = true;
  host.at(50);
  assert.equal(codeOf(linearizable), "NO_QUORUM");
  assert.deepEqual(stale, []);
  host.canSend = true;
  host.at(500);
  host.reader.onRemoteResult(host.asked[0].request, [bytesReply("value")]);
  assert.deepEqual(stale, ["value"]);
});

test("a read is told why it was not carried out in time", () => {
  for (const [refusal, code] of [
    ["overloaded", "OVERLOADED"],
    ["unreachable", "NO_QUORUM"],
  ] as const) {
    const host = new ScriptedHost();
    host.canSend = false;
    host.refusal = refusal;
    const answers = host.get("a");
    host.reader.flush();
    host.at(TIMEOUT_MS);
    assert.equal(codeOf(answers), code);
  }
});
