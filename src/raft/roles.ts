/**
 * The four roles and the transitions between them.
 *
 *               time-out               majority would vote      majority votes
 *   follower ─────────────▶ pre-candidate ─────────▶ candidate ─────────────▶ leader
 *      ▲                         │                      │                        │
 *      └─────────────────────────┴──────────────────────┴────────────────────────┘
 *        a leader of this term, a higher term, a lost election, no contact to a majority
 *
 * Source: dissertation figure 3.3, §9.6 (pre-vote), §6.2 (a leader without a majority steps down).
 */
import { EMPTY_BYTES } from "../core/bytes.js";
import { logIndex, type ReplicaId, type Term, term } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import { abandonReads, beginLeaderReads } from "./reads.js";
import type { Replica } from "./replica.js";
import { appendOwn } from "./replication.js";
import { abandonIncoming } from "./snapshots.js";

/**
 * Follows `leader` in `newTerm`; `NOBODY` while the leader is not known. A follower's time-out goes on when all
 * that it learns is a later term: else one that runs often, and cannot win, would keep others from running.
 */
export function becomeFollower(replica: Replica, newTerm: Term, leader: ReplicaId): void {
  const isTimerKept = replica.role === "follower" && leader === NOBODY;
  leaveRole(replica);
  if (newTerm !== replica.term) {
    replica.term = newTerm;
    replica.vote = NOBODY;
    abandonIncoming(replica);
  }
  replica.role = "follower";
  replica.leader = leader;
  if (leader !== NOBODY) replica.isOrphaned = false;
  if (!isTimerKept) restartElectionTimer(replica);
}

/** Asks whether an election could be won, without disturbing anyone: the term stays. */
export function becomePreCandidate(replica: Replica): void {
  leaveRole(replica);
  replica.role = "pre-candidate";
  replica.leader = NOBODY;
  standForElection(replica);
}

/** Begins a new term and votes for itself; the vote counts once it is durable. */
export function becomeCandidate(replica: Replica): void {
  leaveRole(replica);
  replica.role = "candidate";
  replica.leader = NOBODY;
  replica.term = term(replica.term + 1);
  replica.vote = replica.id;
  abandonIncoming(replica);
  standForElection(replica);
}

/** Begins to lead, with an entry of its own term: only that can commit what earlier leaders left (§3.6.2). */
export function becomeLeader(replica: Replica): void {
  const { log, members, ticks } = replica;
  leaveRole(replica);
  replica.role = "leader";
  replica.leader = replica.id;
  replica.isOrphaned = false;
  replica.heartbeatElapsed = 0;
  replica.electionElapsed = 0;
  replica.uncommittedBytes = log.bytesBetween(logIndex(replica.commit + 1), log.lastIndex);
  for (const member of members.others) member.reset(logIndex(log.lastIndex + 1), ticks);
  members.self.match = replica.persistence.durableIndex;
  beginLeaderReads(replica.reads);
  appendOwn(replica, "noop", EMPTY_BYTES);
}

/** The leader's connection broke, or it was silent for too long. */
export function forgetLeader(replica: Replica): void {
  leaveRole(replica);
  replica.leader = NOBODY;
}

/** Uniform in one to two election time-outs; after a leader's connection broke, in a quarter to a half. */
export function restartElectionTimer(replica: Replica): void {
  const { electionTicks, random } = replica.options;
  const base = replica.isOrphaned ? Math.floor(electionTicks / 4) + 1 : electionTicks;
  replica.electionElapsed = 0;
  replica.electionTimeout = base + Math.floor(random() * (base + 1));
}

function standForElection(replica: Replica): void {
  replica.members.clearVotes();
  restartElectionTimer(replica);
}

/** Ends what belonged to the role or the leader left: reads fail, a transfer is given up. */
function leaveRole(replica: Replica): void {
  abandonReads(replica);
  replica.transferTo = NOBODY;
  replica.isTermCommitted = false;
  replica.isReplicationDue = false;
  replica.uncommittedBytes = 0;
}
