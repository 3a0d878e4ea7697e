/** What a leader keeps of its log in memory, and for whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "../../../src/codec/raft-types.js";
import { logIndex, type ReplicaId } from "../../../src/core/ids.js";
import { LEADER as FRIEND, LoneReplica, OTHER, SELF } from "./lone-replica.js";
import { batchOf } from "./partition-fixture.js";

type Answer<T extends Message["type"]> = Omit<Extract<Message, { type: T }>, "from" | "to" | "term">;

/** The lone replica as the leader of its group; the test speaks for the two others. */
class LoneLeader {
  readonly replica = new LoneReplica();
  #sequence = 0;

  async start(): Promise<this> {
    const { replica } = this;
    await replica.start();
    replica.group.core.campaign();
    for (const pre of [true, false]) {
      await this.pass();
      this.#answer(FRIEND, { type: "vote-response", pre, reject: false }, pre ? 1 : 0);
    }
    await this.pass();
    assert(replica.group.isLeader);
    return this;
  }

  /** Lets everything under way end. */
  async pass(timeMs = 50): Promise<void> {
    this.replica.group.advance();
    await this.replica.pass(timeMs);
  }

  get lastIndex(): number {
    return this.replica.group.core.lastIndex;
  }

  get firstIndex(): number {
    return this.replica.group.core.status().firstIndex;
  }

  async write(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      this.#sequence += 1;
      const commands = [["SET", `key${this.#sequence}`, "v".repeat(1_000)]];
      this.replica.group.propose(batchOf({ session: 5, sequence: this.#sequence, commands }));
    }
    await this.pass();
    await this.has(FRIEND, this.lastIndex);
  }

  /** The log of `from` is known to be the leader's up to `index`. */
  async has(from: ReplicaId, index: number): Promise<void> {
    this.#answer(from, {
      type: "append-response",
      index: logIndex(index),
      reject: false,
      hintIndex: logIndex(0),
      hintTerm: this.replica.group.core.status().term,
    });
    await this.pass();
  }

  /** The pieces of snapshots sent so far. */
  get pieces(): Extract<Message, { type: "snapshot" }>[] {
    return this.replica.sent.filter((message) => message.type === "snapshot");
  }

  /** The last piece has been stored. */
  store(from: ReplicaId): void {
    const { meta, offsetBytes, data } = this.pieces[this.pieces.length - 1];
    const stored = offsetBytes + data.length;
    this.#answer(from, { type: "snapshot-response", index: meta.index, offsetBytes: stored, reject: false });
  }

  #answer(
    from: ReplicaId,
    answer: Answer<"vote-response"> | Answer<"append-response"> | Answer<"snapshot-response">,
    termAhead = 0,
  ): void {
    const { group } = this.replica;
    const term = (group.core.status().term + termAhead) as Message["term"];
    group.step({ ...answer, from, to: SELF, term });
  }
}

test("what was kept for a follower goes when it has caught up, even if nothing more is written", async () => {
  const leader = await new LoneLeader().start();
  await leader.has(OTHER, 1);
  await leader.write(50);
  const { group } = leader.replica;
  group.trimLog(10_000, 0);
  assert.equal(leader.firstIndex, 2, "the follower lacks it");
  await leader.has(OTHER, leader.lastIndex);
  group.trimLog(10_000, 0);
  assert(leader.firstIndex > 35, `the log starts at ${leader.firstIndex}`);
});

/** A leader that sends a snapshot, of which the first piece has been stored. */
async function sending(): Promise<LoneLeader> {
  const leader = await new LoneLeader().start();
  await leader.write(50);
  leader.replica.group.trimLog(1_000, 0);
  await leader.has(OTHER, 0);
  for (let i = 0; i < 20 && leader.pieces.length === 0; i += 1) {
    leader.replica.group.tick();
    await leader.has(OTHER, 0);
  }
  assert.equal(leader.pieces.length, 1, "a snapshot is under way");
  await leader.write(10);
  return leader;
}

test("a snapshot that is outrun while a piece of it is read is begun anew, not sent to its end", async () => {
  const leader = await sending();
  const { group } = leader.replica;
  const outrun = leader.pieces[0].meta.index;
  leader.store(OTHER);
  // The next piece is being read.
  group.advance();
  group.trimLog(1_000, 0);
  for (let i = 0; i < 20 && leader.pieces.at(-1)?.meta.index === outrun; i += 1) {
    await leader.pass();
    group.tick();
    await leader.has(OTHER, 0);
  }
  const [, next] = leader.pieces;
  assert.equal(next.offsetBytes, 0);
  assert(next.meta.index > outrun);
});
