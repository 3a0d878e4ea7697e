/** What a replica promises is on its disk when the promise leaves, also when its log is replaced meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, Message } from "../../../src/codec/raft-types.js";
import { latin1ToBytes } from "../../../src/core/bytes.js";
import { logIndex, replicaId, term } from "../../../src/core/ids.js";
import { RaftLog } from "../../../src/raft/log.js";
import { Persistence } from "../../../src/raft/persistence.js";

const START = {
  index: logIndex(0),
  term: term(0),
  configuration: { voters: [replicaId(1), replicaId(2), replicaId(3)], votersOutgoing: [], learners: [] },
};

function entryAt(index: number): Entry {
  return { index: logIndex(index), term: term(1), kind: "command", data: latin1ToBytes(`v${index}`) };
}

function voteRequest(lastIndex: number): Message {
  return {
    type: "vote",
    from: replicaId(1),
    to: replicaId(2),
    term: term(2),
    pre: false,
    lastIndex: logIndex(lastIndex),
    lastTerm: term(1),
    transfer: false,
  };
}

/** A candidate with entries 1 to 5 on disk, whose log another leader's replaces from `index` on before it has asked. */
function messagesAfterTruncation(index: number): readonly Message[] {
  const log = new RaftLog(START, [1, 2, 3, 4, 5].map(entryAt));
  const hardState = { term: term(1), vote: replicaId(0), commit: logIndex(0) };
  const persistence = new Persistence(log, {
    hardState,
    snapshot: START,
    entries: [],
    appliedIndex: logIndex(0),
  });
  const candidate = { term: term(2), vote: replicaId(1), commit: logIndex(0) };
  persistence.promise(voteRequest(5), candidate, []);
  persistence.onTruncate(logIndex(index));
  log.truncateFrom(logIndex(index));
  return persistence.take(candidate)?.messages ?? [];
}

test("a candidate does not ask for votes by a log that was replaced before it could ask", () => {
  assert.deepEqual(messagesAfterTruncation(4), []);
  assert.deepEqual(messagesAfterTruncation(6), [voteRequest(5)]);
});
