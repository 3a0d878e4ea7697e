/**
 * Linearizable reads without writing to the log (ReadIndex).
 *
 *   reads asked for ──▶ waiting ──▶ confirming: one round of heartbeats under way ──▶ answered with an index
 *
 * - A read's index is the leader's commit index when its round began; a majority that answers that round
 *   proves that nobody else led by then. A round answers only reads that were asked for before it began.
 * - One round at a time; what arrives meanwhile shares the next. A lost round is repeated by heartbeats.
 * - A leader that has not committed in its own term does not know what is committed: reads wait (§6.4, step 1).
 * - Followers and learners ask the leader, one request at a time, each for all reads waiting here.
 * - With a lease (§6.4.1) a confirmed round stands for those of the next three quarters of an election
 *   time-out, counted in ticks from when it began: correct only while clocks run at about the same speed and no
 *   process is stopped between a tick and an answer. A change of members voids it, and once a transfer
 *   was begun there is none in this term, because voters then need not wait for a time-out.
 *
 * Source: dissertation §6.4, §6.4.1.
 */
import type { Message } from "../codec/raft-types.js";
import { type LogIndex, logIndex, type ReplicaId } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import type { Replica } from "./replica.js";
import { sendHeartbeat } from "./replication.js";
import type { RaftOptions, ReadState } from "./types.js";

type ReadRequest = Extract<Message, { type: "read-index" }>;
type ReadResponse = Extract<Message, { type: "read-index-response" }>;

/** A follower's request, on the leader. */
interface RemoteRead {
  readonly from: ReplicaId;
  readonly context: number;
}

const UNCONFIRMED: LogIndex = logIndex(0);
const NO_LEASE = Number.NEGATIVE_INFINITY;

export class Reads {
  /** Asked for and not under way, here and by followers; a follower has one request at most. */
  waiting: number[] = [];
  waitingRemote: RemoteRead[] = [];

  /** On a leader: answered with `confirmedIndex` by the round under way. */
  confirming: number[] = [];
  confirmingRemote: RemoteRead[] = [];
  confirmedIndex: LogIndex = UNCONFIRMED;
  /** The last round begun, and when. */
  round = 0;
  roundTick = 0;
  isRoundOpen = false;
  /** When the last confirmed round began. */
  leaseTick = NO_LEASE;
  isLeaseForbidden = false;

  /** On a follower: covered by the request under way, which has this number. */
  asked: number[] = [];
  isAsking = false;
  request: number;
  requestTick = 0;

  /** For the next `Ready`. */
  answers: ReadState[] = [];

  /** Requests are numbered from a random start: an answer from before a restart must not match one after it. */
  constructor(random: () => number) {
    this.request = Math.floor(random() * 2 ** 40);
  }

  answer(contexts: readonly number[], index: LogIndex): void {
    for (const context of contexts) this.answers.push({ context, index });
  }
}

/** Reads that arrive before the next `Ready` share one round. */
export function askRead(replica: Replica, context: number): void {
  if (replica.leader === NOBODY) replica.reads.answers.push({ context, index: UNCONFIRMED });
  else replica.reads.waiting.push(context);
}

/** `startReads` has something to do. */
export function areReadsDue(replica: Replica): boolean {
  const { reads } = replica;
  if (replica.role !== "leader") return reads.waiting.length > 0 && !reads.isAsking;
  if (reads.waiting.length === 0 && reads.waitingRemote.length === 0) return false;
  return replica.isTermCommitted && (!reads.isRoundOpen || hasLease(replica));
}

/** Begins the next round, or the next request to the leader, for all reads that wait. */
export function startReads(replica: Replica): void {
  const { reads } = replica;
  if (replica.role !== "leader") return sendRequest(replica);
  if (replica.members.isOnlyVoter() || hasLease(replica)) {
    const { waiting, waitingRemote } = reads;
    reads.waiting = [];
    reads.waitingRemote = [];
    answerAll(replica, waiting, waitingRemote, replica.commit);
    return;
  }
  reads.confirming = reads.waiting;
  reads.confirmingRemote = reads.waitingRemote;
  reads.confirmedIndex = replica.commit;
  reads.waiting = [];
  reads.waitingRemote = [];
  openRound(replica);
  for (const member of replica.members.others) {
    if (member.isVoter) sendHeartbeat(replica, member, reads.round);
  }
}

/** In lease mode every heartbeat is a round: reads then find the lease renewed. Who votes alone needs none. */
export function renewLease(replica: Replica): void {
  const { options, reads, members } = replica;
  if (options.readMode === "lease" && !reads.isRoundOpen && !members.isOnlyVoter()) openRound(replica);
}

/** The lease rests on majorities that no longer decide, or on time-outs that voters need not keep. */
export function voidLease(reads: Reads): void {
  reads.leaseTick = NO_LEASE;
}

/** From now on voters may elect another without waiting: there is no lease in this term any more. */
export function forbidLease(reads: Reads): void {
  reads.isLeaseForbidden = true;
}

/** A member confirmed a round, or fewer need to: the one under way is over when a majority has. */
export function onReadRoundConfirmed(replica: Replica): void {
  const { reads } = replica;
  if (!reads.isRoundOpen || replica.members.agreedRound() < reads.round) return;
  reads.isRoundOpen = false;
  reads.leaseTick = reads.roundTick;
  const { confirming, confirmingRemote } = reads;
  reads.confirming = [];
  reads.confirmingRemote = [];
  answerAll(replica, confirming, confirmingRemote, reads.confirmedIndex);
}

/** A follower asks. A newer request replaces an older one of the same follower. */
export function onReadRequest(replica: Replica, request: ReadRequest): void {
  const { from, context } = request;
  if (replica.role !== "leader" || replica.members.get(from) === undefined) {
    sendAnswer(replica, from, context, UNCONFIRMED);
    return;
  }
  const { waitingRemote, confirmingRemote } = replica.reads;
  if (confirmingRemote.some((read) => read.from === from && read.context === context)) return;
  const position = waitingRemote.findIndex((read) => read.from === from);
  if (position === -1) waitingRemote.push({ from, context });
  else waitingRemote[position] = { from, context };
}

/** The leader's answer: for the request under way, or an old one's. */
export function onReadResponse(replica: Replica, response: ReadResponse): void {
  const { reads } = replica;
  if (!reads.isAsking || response.context !== reads.request || response.from !== replica.leader) return;
  const { asked } = reads;
  reads.isAsking = false;
  reads.asked = [];
  reads.answer(asked, response.index);
}

/** One tick of a follower: repeats a request that may have been lost. */
export function tickReads(replica: Replica): void {
  const { reads, options, ticks } = replica;
  if (reads.isAsking && ticks - reads.requestTick >= options.heartbeatTicks) repeatRequest(replica);
}

/** A new leader has no round, no lease and no reads of its own yet. */
export function beginLeaderReads(reads: Reads): void {
  reads.isRoundOpen = false;
  reads.leaseTick = NO_LEASE;
  reads.isLeaseForbidden = false;
}

/** Leadership or the leader was lost: nothing that waits can be confirmed any more. */
export function abandonReads(replica: Replica): void {
  const { reads } = replica;
  const { confirming, confirmingRemote, waiting, waitingRemote, asked } = reads;
  reads.confirming = [];
  reads.confirmingRemote = [];
  reads.waiting = [];
  reads.waitingRemote = [];
  reads.asked = [];
  reads.isAsking = false;
  reads.isRoundOpen = false;
  answerAll(replica, confirming, confirmingRemote, UNCONFIRMED);
  answerAll(replica, waiting, waitingRemote, UNCONFIRMED);
  reads.answer(asked, UNCONFIRMED);
}

function openRound(replica: Replica): void {
  const { reads } = replica;
  reads.round += 1;
  reads.roundTick = replica.ticks;
  reads.isRoundOpen = true;
  replica.members.self.readRound = reads.round;
}

function hasLease(replica: Replica): boolean {
  const { options, reads, ticks } = replica;
  if (options.readMode !== "lease" || !options.checkQuorum || reads.isLeaseForbidden) return false;
  return ticks - reads.leaseTick < leaseTicks(options);
}

/**
 * Ticks for which a confirmed round stands: a voter waits `electionTicks` from an answer that came later than
 * the round began. One tick is lost to rounding on either side, a quarter is left to clocks that drift.
 */
function leaseTicks(options: Pick<RaftOptions, "electionTicks">): number {
  return Math.floor((options.electionTicks * 3) / 4) - 1;
}

function answerAll(
  replica: Replica,
  local: readonly number[],
  remote: readonly RemoteRead[],
  index: LogIndex,
): void {
  replica.reads.answer(local, index);
  for (const { from, context } of remote) sendAnswer(replica, from, context, index);
}

function sendAnswer(replica: Replica, to: ReplicaId, context: number, index: LogIndex): void {
  replica.send({ type: "read-index-response", from: replica.id, to, term: replica.term, context, index });
}

function sendRequest(replica: Replica): void {
  const { reads } = replica;
  reads.asked = reads.waiting;
  reads.waiting = [];
  reads.isAsking = true;
  reads.request += 1;
  repeatRequest(replica);
}

function repeatRequest(replica: Replica): void {
  const { id, leader, reads, term, ticks } = replica;
  reads.requestTick = ticks;
  replica.send({ type: "read-index", from: id, to: leader, term, context: reads.request });
}
