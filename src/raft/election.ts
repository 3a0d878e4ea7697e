/**
 * Elections: time-outs, pre-votes and votes, on both sides.
 *
 * - Votes are asked for, and given, only once the term, the vote and the log that they rest on are durable.
 *   A candidate that asked earlier could lose entries in a crash, ask again in the same term with a shorter
 *   log, and count an answer to its first question.
 * - Whoever hears a leader refuses to elect another, unless the leader itself asked for it (`transfer`):
 *   a replica that was cut off cannot disturb the rest when it returns.
 *
 * Source: dissertation §3.4, §3.6.1, §4.2.3 (disruptive servers), §9.6 (pre-vote), §3.10 (transfer).
 */
import type { Message } from "../codec/raft-types.js";
import { type LogIndex, type ReplicaId, type Term, term } from "../core/ids.js";
import { isVoter, NOBODY } from "./configuration.js";
import type { Progress } from "./progress.js";
import type { Replica } from "./replica.js";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate, forgetLeader } from "./roles.js";

type VoteRequest = Extract<Message, { type: "vote" }>;
type VoteResponse = Extract<Message, { type: "vote-response" }>;

/** One tick of anyone but a leader. */
export function tickElection(replica: Replica): void {
  replica.electionElapsed += 1;
  if (replica.electionElapsed < replica.electionTimeout) return;
  if (canCampaign(replica)) startElection(replica);
  else if (replica.leader !== NOBODY) forgetLeader(replica);
}

/** Starts an election now, unless this replica may not lead. */
export function campaign(replica: Replica): void {
  if (replica.role === "leader" || !canCampaign(replica)) return;
  if (replica.options.readMode === "lease" && hearsLeader(replica)) return;
  startElection(replica);
}

/** The leader hands over (§3.10): no pre-vote, and voters need not have lost the leader. */
export function onTimeoutNow(replica: Replica): void {
  if (replica.role !== "leader" && canCampaign(replica)) runForLeader(replica, true);
}

/**
 * The connection to the leader broke. It is forgotten, and an election follows within a quarter of the
 * time-out: the others grant it only if they lost the leader, too. A lease rests on everyone waiting for the
 * whole time-out, so that in lease mode nothing is hurried.
 */
export function onLeaderUnreachable(replica: Replica): void {
  const { electionTicks, preVote, random, readMode } = replica.options;
  if (readMode === "lease") return;
  forgetLeader(replica);
  // Without pre-vote, one that runs often and cannot win would always be a term ahead of those that can.
  replica.isOrphaned = preVote;
  replica.electionElapsed = 0;
  replica.electionTimeout = Math.max(1, Math.floor(random() * (Math.floor(electionTicks / 4) + 1)));
}

/** A leader is known and was heard of within the time-out: nobody else is to be elected. */
function hearsLeader(replica: Replica): boolean {
  if (replica.ticks < replica.refuseVotesUntilTick) return true;
  if (replica.role === "leader") return true;
  return replica.leader !== NOBODY && replica.electionElapsed < replica.options.electionTicks;
}

/** Refused while a leader is heard of: by everyone for a pre-vote, and for a vote with check-quorum. */
export function isVoteUntimely(replica: Replica, request: VoteRequest): boolean {
  return !request.transfer && (request.pre || replica.options.checkQuorum) && hearsLeader(replica);
}

/** A request of this replica's term, or a pre-vote for any later one. */
export function onVoteRequest(replica: Replica, request: VoteRequest): void {
  if (request.pre) onPreVoteRequest(replica, request);
  else onRealVoteRequest(replica, request);
}

/** Role, `pre` and term must belong together: other answers are of an earlier election. */
export function onVoteResponse(replica: Replica, response: VoteResponse): void {
  if (replica.role !== (response.pre ? "pre-candidate" : "candidate")) return;
  if (response.pre && !response.reject && response.term !== replica.term + 1) return;
  const voter = replica.members.get(response.from);
  if (voter === undefined || voter.vote !== "none") return;
  voter.vote = response.reject ? "refused" : "granted";
  decideElection(replica);
}

/** A request of an earlier term. */
export function refuseVote(replica: Replica, request: VoteRequest): void {
  replica.send(voteResponse(replica, request.from, request.pre, true, replica.term));
}

/** An append is durable: a candidate's own vote may be among what it held. */
export function onOwnVoteDurable(replica: Replica): void {
  const { id, members, persistence } = replica;
  if (members.self.vote !== "none" || !persistence.isVoteDurable(replica.term, id)) return;
  members.self.vote = "granted";
  decideElection(replica);
}

/**
 * Voters only, and not while the state machine is being replaced by a snapshot that the log does not know.
 * A voter that an uncommitted configuration removes is still needed (§4.2.2): when the leader dies, those that
 * have that configuration refuse everyone who has not, and may be the ones that it removes.
 */
function canCampaign(replica: Replica): boolean {
  const { commit, history, id, incoming, members } = replica;
  if (incoming?.isInstalling === true) return false;
  return members.self.isVoter || (history.currentIndex > commit && isVoter(history.at(commit), id));
}

function startElection(replica: Replica): void {
  if (!replica.options.preVote) return runForLeader(replica, false);
  becomePreCandidate(replica);
  replica.members.self.vote = "granted";
  const nextTerm = term(replica.term + 1);
  for (const member of replica.members.others) {
    if (member.isVoter) replica.send(voteRequest(replica, member, { pre: true, transfer: false }, nextTerm));
  }
  decideElection(replica);
}

function runForLeader(replica: Replica, transfer: boolean): void {
  becomeCandidate(replica);
  for (const member of replica.members.others) {
    if (member.isVoter)
      replica.sendDurably(voteRequest(replica, member, { pre: false, transfer }, replica.term));
  }
}

function decideElection(replica: Replica): void {
  const tally = replica.members.tallyVotes();
  if (tally === "lost") becomeFollower(replica, replica.term, NOBODY);
  else if (tally === "won" && replica.role === "pre-candidate") runForLeader(replica, false);
  else if (tally === "won") becomeLeader(replica);
}

function onPreVoteRequest(replica: Replica, request: VoteRequest): void {
  const { log, id } = replica;
  const isGranted = request.term > replica.term && log.isUpToDate(request.lastIndex, request.lastTerm);
  replica.send(
    voteResponse(replica, request.from, true, !isGranted, isGranted ? request.term : replica.term),
  );
  // Two replicas that miss the leader at the same moment would split the votes: the one that the other could
  // beat, or with equal logs the one with the larger id, withdraws.
  if (!isGranted || replica.role !== "pre-candidate") return;
  const isEqual = request.lastIndex === log.lastIndex && request.lastTerm === log.lastTerm;
  if (!isEqual || request.from < id) becomeFollower(replica, replica.term, NOBODY);
}

function onRealVoteRequest(replica: Replica, request: VoteRequest): void {
  const { from } = request;
  const isFree = replica.vote === from || (replica.vote === NOBODY && replica.leader === NOBODY);
  if (!isFree || !replica.log.isUpToDate(request.lastIndex, request.lastTerm)) {
    replica.send(voteResponse(replica, from, false, true, replica.term));
    return;
  }
  replica.vote = from;
  replica.electionElapsed = 0;
  replica.sendDurably(voteResponse(replica, from, false, false, replica.term));
}

function voteRequest(
  replica: Replica,
  member: Progress,
  { pre, transfer }: { pre: boolean; transfer: boolean },
  requestTerm: Term,
): Message {
  const lastIndex: LogIndex = replica.log.lastIndex;
  const lastTerm = replica.log.lastTerm;
  const { id } = replica;
  return { type: "vote", from: id, to: member.id, term: requestTerm, pre, lastIndex, lastTerm, transfer };
}

function voteResponse(
  replica: Replica,
  to: ReplicaId,
  pre: boolean,
  reject: boolean,
  responseTerm: Term,
): Message {
  return { type: "vote-response", from: replica.id, to, term: responseTerm, pre, reject };
}
