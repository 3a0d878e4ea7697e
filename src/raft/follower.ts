/**
 * A follower's side of the log: what a leader sends it.
 *
 * - An entry that is already here with the same term is left alone: only a conflict truncates (§3.5).
 * - An append is answered once all that it acknowledges is durable. One without entries that only tells a new
 *   commit index is not answered: the leader learns nothing from it.
 * - While the state machine is being replaced by a snapshot, appends are not taken.
 */
import type { Message } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import { type LogIndex, logIndex, type ReplicaId, type Term, term } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import { requirePossible } from "./impossible.js";
import type { Replica } from "./replica.js";
import { becomeFollower } from "./roles.js";

type Append = Extract<Message, { type: "append" }>;
const NO_TERM: Term = term(0);

type Heartbeat = Extract<Message, { type: "heartbeat" }>;

/** A message that only the leader of this term can have sent. */
export function followLeader(replica: Replica, leader: ReplicaId): void {
  const isOther = replica.leader !== NOBODY && replica.leader !== leader;
  if (isOther) requirePossible(false, `${replica.leader} and ${leader} both lead term ${replica.term}`);
  if (replica.leader === leader) replica.electionElapsed = 0;
  else becomeFollower(replica, replica.term, leader);
}

export function onAppend(replica: Replica, append: Append): void {
  followLeader(replica, append.from);
  if (replica.incoming?.isInstalling === true) return;
  if (append.prevIndex < replica.commit) return onAppendBeforeCommit(replica, append);
  if (replica.log.termAt(append.prevIndex) !== append.prevTerm) return refuse(replica, append);
  takeEntries(replica, append, 0);
}

export function onHeartbeat(replica: Replica, heartbeat: Heartbeat): void {
  const { lastIndex } = replica.log;
  if (heartbeat.commit > lastIndex) {
    requirePossible(false, `a heartbeat commits ${heartbeat.commit}, the log ends at ${lastIndex}`);
  }
  followLeader(replica, heartbeat.from);
  advanceCommit(replica, heartbeat.commit);
  const { id, term } = replica;
  replica.send({
    type: "heartbeat-response",
    from: id,
    to: heartbeat.from,
    term,
    readRound: heartbeat.readRound,
  });
}

/** What is committed is the same in every log (leader completeness): only what comes after it is looked at. */
function onAppendBeforeCommit(replica: Replica, append: Append): void {
  const known = replica.commit - append.prevIndex;
  if (append.entries.length <= known) return acknowledge(replica, append.from, replica.commit);
  const { index, term: sentTerm } = append.entries[known - 1];
  requirePossible(
    replica.log.termAt(index) === sentTerm,
    `entry ${index} is committed, and of another term than ${sentTerm}`,
  );
  takeEntries(replica, append, known);
}

/** Takes `append.entries` from `skip` on; the log is known to match before them. */
function takeEntries(replica: Replica, append: Append, skip: number): void {
  const { log } = replica;
  for (let i = skip; i < append.entries.length; i += 1) {
    const entry = append.entries[i];
    if (entry.index <= log.lastIndex) {
      if (log.termAt(entry.index) === entry.term) continue;
      replica.truncateFrom(entry.index);
    }
    replica.append(entry);
  }
  const lastNew = logIndex(append.prevIndex + append.entries.length);
  const isCommitNews = advanceCommit(replica, logIndex(Math.min(append.commit, lastNew)));
  if (append.entries.length > 0 || !isCommitNews) acknowledge(replica, append.from, lastNew);
}

function advanceCommit(replica: Replica, commit: LogIndex): boolean {
  if (commit <= replica.commit) return false;
  assert(
    commit <= replica.log.lastIndex,
    "committed up to %, the log ends at %",
    commit,
    replica.log.lastIndex,
  );
  replica.commit = commit;
  return true;
}

/** Tells `leader` that everything up to `index` is here, once it is durable. */
export function acknowledge(replica: Replica, leader: ReplicaId, index: LogIndex): void {
  replica.sendDurably({
    type: "append-response",
    from: replica.id,
    to: leader,
    term: replica.term,
    index,
    reject: false,
    hintIndex: logIndex(0),
    hintTerm: NO_TERM,
  });
}

/** A leader of an earlier term learns of this one. */
export function refuseOldLeader(replica: Replica, leader: ReplicaId): void {
  const { preVote, checkQuorum } = replica.options;
  if (preVote || checkQuorum) sendRefusal(replica, leader, logIndex(0), logIndex(0), NO_TERM);
}

/** Says where the logs may agree, so that the leader skips whole terms and not single entries (§3.5). */
function refuse(replica: Replica, append: Append): void {
  const hintIndex = replica.log.findAgreement(append.prevIndex, append.prevTerm);
  const hintTerm = replica.log.termAt(hintIndex) ?? NO_TERM;
  sendRefusal(replica, append.from, append.prevIndex, hintIndex, hintTerm);
}

function sendRefusal(
  replica: Replica,
  to: ReplicaId,
  index: LogIndex,
  hintIndex: LogIndex,
  hintTerm: Term,
): void {
  const { id, term } = replica;
  replica.send({ type: "append-response", from: id, to, term, index, reject: true, hintIndex, hintTerm });
}
