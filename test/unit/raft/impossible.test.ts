/** Messages that no replica would send: refused, with nothing of the log changed; never the end of the replica. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, Message } from "../../../src/codec/raft-types.js";
import { EMPTY_BYTES } from "../../../src/core/bytes.js";
import { MinikeyError } from "../../../src/core/errors.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { Raft } from "../../../src/raft/raft.js";
import { OPTIONS } from "./first-of-three.js";

const [ONE, TWO, THREE] = [1, 2, 3].map(replicaId);

const entry = (index: number, inTerm: number): Entry => ({
  index: logIndex(index),
  term: term(inTerm),
  kind: "noop",
  data: EMPTY_BYTES,
});

/** In term 3, with entries 1 to 4 of terms 1, 1, 2, 3, of which 3 are committed. */
function replica(): Raft {
  return new Raft(OPTIONS, {
    hardState: { term: term(3), vote: replicaId(0), commit: logIndex(3) },
    snapshot: {
      index: logIndex(0),
      term: term(0),
      configuration: { voters: [ONE, TWO, THREE], votersOutgoing: [], learners: [] },
    },
    entries: [entry(1, 1), entry(2, 1), entry(3, 2), entry(4, 3)],
    appliedIndex: logIndex(0),
  });
}

const envelope = { from: TWO, to: ONE, term: term(3) };
const heartbeat = (commit: number, from = TWO): Message => ({
  type: "heartbeat",
  ...envelope,
  from,
  commit: logIndex(commit),
  readRound: 0,
});

function refuses(raft: Raft, message: Message, problem: RegExp): void {
  const before = { commit: raft.commit, lastIndex: raft.lastIndex, role: raft.role };
  assert.throws(
    () => raft.step(message),
    (error) => {
      assert(error instanceof MinikeyError && error.code === "PROTOCOL", String(error));
      assert.match(error.message, problem);
      return true;
    },
  );
  assert.deepEqual({ commit: raft.commit, lastIndex: raft.lastIndex, role: raft.role }, before);
}

test("a heartbeat that commits what is not there is refused", () => {
  refuses(replica(), heartbeat(5), /commits 5, the log ends at 4/);
});

test("a second leader of a term is refused, by a follower and by the leader itself", () => {
  const follower = replica();
  follower.step(heartbeat(3));
  refuses(follower, heartbeat(3, THREE), /2 and 3 both lead term 3/);

  const leader = elected();
  refuses(leader, { ...heartbeat(3), term: leader.term }, /1 and 2 both lead term 4/);
});

test("an append that contradicts what is committed is refused", () => {
  const append: Message = {
    type: "append",
    ...envelope,
    prevIndex: logIndex(2),
    prevTerm: term(1),
    entries: [entry(3, 1), entry(4, 1)],
    commit: logIndex(4),
  };
  refuses(replica(), append, /entry 3 is committed, and of another term than 1/);
});

test("an answer about entries that the leader does not have is refused", () => {
  const leader = elected();
  const response: Message = {
    type: "append-response",
    ...envelope,
    term: leader.term,
    index: logIndex(9),
    reject: false,
    hintIndex: logIndex(0),
    hintTerm: term(0),
  };
  refuses(leader, response, /2 has 9, the log ends at 5/);
});

function elected(): Raft {
  const raft = replica();
  raft.campaign();
  for (let ready = raft.ready(); ; ready = raft.ready()) {
    if (ready.append !== undefined) raft.appended(ready.append.number);
    if (!raft.hasReady()) break;
  }
  raft.step({ type: "vote-response", ...envelope, term: raft.term, pre: false, reject: false });
  assert.equal(raft.role, "leader");
  return raft;
}
