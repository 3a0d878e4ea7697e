/**
 * A leader's side of the log: its own entries, what each member is sent, and what is committed.
 *
 * - Nothing is sent when something is proposed or acknowledged: `replicate` runs once a `Ready` and sends each
 *   member what it lacks, so that all proposals of a turn, and the commit index, share one message.
 * - Entries leave while the leader's own disk writes them (§10.2.1); it counts itself for what is durable.
 * - Only entries of the leader's own term are committed by counting (§3.6.2, figure 3.7).
 */
import type { Entry, EntryKind, Message } from "../codec/raft-types.js";
import { assert } from "../core/assert.js";
import type { Bytes } from "../core/bytes.js";
import { type LogIndex, logIndex } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import { requirePossible } from "./impossible.js";
import { onConfigurationCommitted } from "./membership.js";
import { NOT_BEHIND, type Progress } from "./progress.js";
import { onReadRoundConfirmed, renewLease } from "./reads.js";
import type { Replica } from "./replica.js";
import { becomeFollower } from "./roles.js";
import { onSnapshotAnswered, requestPiece, resendPiece } from "./snapshots.js";
import { continueTransfer, tickTransfer } from "./transfer.js";

type AppendResponse = Extract<Message, { type: "append-response" }>;
type HeartbeatResponse = Extract<Message, { type: "heartbeat-response" }>;

const NO_ENTRIES: readonly Entry[] = [];
const NO_NEWS = logIndex(0);

/** Adds an entry of this leader's term to its log, to be replicated with the next `Ready`. */
export function appendOwn(replica: Replica, kind: EntryKind, data: Bytes): LogIndex {
  const index = logIndex(replica.log.lastIndex + 1);
  replica.append({ index, term: replica.term, kind, data });
  replica.uncommittedBytes += data.length;
  replica.isReplicationDue = true;
  return index;
}

/** Sends every member what it lacks, as far as its window allows. */
export function replicate(replica: Replica): void {
  replica.isReplicationDue = false;
  for (const member of replica.members.others) sendMissing(replica, member);
}

/** One tick of a leader. Without a majority for an election time-out it steps down (§6.2). */
export function tickLeader(replica: Replica): void {
  const { checkQuorum, electionTicks, heartbeatTicks } = replica.options;
  if (checkQuorum && replica.ticks - replica.members.quorumHeardTick() >= electionTicks) {
    becomeFollower(replica, replica.term, NOBODY);
    return;
  }
  tickTransfer(replica);
  replica.heartbeatElapsed += 1;
  if (replica.heartbeatElapsed < heartbeatTicks) return;
  renewLease(replica);
  sendHeartbeats(replica);
}

/** To every member: the leader lives, this much is committed, and the read round under way is repeated. */
function sendHeartbeats(replica: Replica): void {
  replica.heartbeatElapsed = 0;
  const readRound = replica.reads.isRoundOpen ? replica.reads.round : 0;
  for (const member of replica.members.others) {
    sendHeartbeat(replica, member, readRound);
    if (member.state === "snapshot") resendPiece(replica, member);
  }
}

export function sendHeartbeat(replica: Replica, member: Progress, readRound: number): void {
  const commit = logIndex(Math.min(member.match, replica.commit));
  const { id, term } = replica;
  replica.send({ type: "heartbeat", from: id, to: member.id, term, commit, readRound });
}

export function onAppendResponse(replica: Replica, member: Progress, response: AppendResponse): void {
  if (response.reject) return onRefused(replica, member, response);
  const { log } = replica;
  if (response.index > log.lastIndex) {
    requirePossible(false, `${member.id} has ${response.index}, the log ends at ${log.lastIndex}`);
  }
  const isNews = member.acknowledge(response.index);
  if (member.state === "probe" && response.index === member.match) member.becomeReplicate();
  else if (member.state === "snapshot") onSnapshotAnswered(replica, member);
  if (isNews) advanceCommit(replica);
  if (replica.role !== "leader") return;
  if (member.next <= log.lastIndex || member.commitSent < replica.commit) replica.isReplicationDue = true;
  continueTransfer(replica, member);
}

/** It lives: what was lost on the way to it, or on the way back, is found out and sent again. */
export function onHeartbeatResponse(replica: Replica, member: Progress, response: HeartbeatResponse): void {
  const isBehind = member.match < replica.log.lastIndex;
  if (isBehind) findOutLoss(replica, member);
  member.matchWhenBehind = isBehind ? member.match : NOT_BEHIND;
  if (isBehind || member.commitSent < replica.commit) replica.isReplicationDue = true;
  continueTransfer(replica, member);
  if (response.readRound > member.readRound) {
    member.readRound = response.readRound;
    onReadRoundConfirmed(replica);
  }
}

/** Own entries up to `durableIndex` are durable here: the leader counts them. */
export function onOwnEntriesDurable(replica: Replica): void {
  if (replica.members.self.acknowledge(replica.persistence.durableIndex)) advanceCommit(replica);
}

/** Commits what a majority has, if it ends in this term. */
function advanceCommit(replica: Replica): void {
  const index = replica.members.agreedMatch();
  if (index <= replica.commit || replica.log.termAt(index) !== replica.term) return;
  replica.uncommittedBytes -= replica.log.bytesBetween(logIndex(replica.commit + 1), index);
  replica.commit = index;
  replica.isTermCommitted = true;
  replica.isReplicationDue = true;
  onConfigurationCommitted(replica);
}

/** The member lacks something and no answer has come: what is under way may be lost, or only slow. */
function findOutLoss(replica: Replica, member: Progress): void {
  if (member.state === "snapshot") return resendPiece(replica, member);
  if (member.state === "probe" && member.paused && member.match > 0) {
    // The logs agree up to what it acknowledged in this term: no need to ask where.
    member.becomeReplicate();
    return;
  }
  const isStuck = member.state === "probe" ? member.paused : member.match === member.matchWhenBehind;
  if (isStuck) sendQuestion(replica, member);
}

function onRefused(replica: Replica, member: Progress, response: AppendResponse): void {
  const agreement = replica.log.findAgreement(response.hintIndex, response.hintTerm);
  if (member.refuse(response.index, agreement)) replica.isReplicationDue = true;
}

function sendMissing(replica: Replica, member: Progress): void {
  if (member.state === "snapshot" || member.paused || beginSnapshot(replica, member)) return;
  if (member.state === "probe") {
    sendEntries(replica, member);
    member.paused = true;
    return;
  }
  while (member.next <= replica.log.lastIndex && !member.inflight.isFull) {
    const lastIndex = sendEntries(replica, member);
    member.sentTo(lastIndex);
  }
  if (member.commitSent >= replica.commit) return;
  member.commitSent = replica.commit;
  sendAppend(replica, member, NO_ENTRIES, replica.commit);
}

/** Sends entries from `member.next` on; returns the index of the last. */
function sendEntries(replica: Replica, member: Progress): LogIndex {
  const entries = replica.log.sliceBytes(member.next, replica.options.appendBytesMax);
  sendAppend(replica, member, entries, replica.commit);
  member.commitSent = replica.commit;
  return logIndex(member.next + entries.length - 1);
}

/** An append without entries and without news is always answered: it asks what the member has. */
function sendQuestion(replica: Replica, member: Progress): void {
  if (!beginSnapshot(replica, member)) sendAppend(replica, member, NO_ENTRIES, NO_NEWS);
}

/** Begins a snapshot, if what the member lacks was compacted away. */
function beginSnapshot(replica: Replica, member: Progress): boolean {
  if (member.next > replica.log.startIndex) return false;
  member.becomeSnapshot(replica.ticks);
  requestPiece(replica, member);
  return true;
}

function sendAppend(replica: Replica, member: Progress, entries: readonly Entry[], commit: LogIndex): void {
  const { id, log, term } = replica;
  const prevIndex = logIndex(member.next - 1);
  const prevTerm = log.termAt(prevIndex);
  assert(prevTerm !== undefined, "% is sent what follows %, which is not in the log", member.id, prevIndex);
  replica.send({ type: "append", from: id, to: member.id, term, prevIndex, prevTerm, entries, commit });
}
