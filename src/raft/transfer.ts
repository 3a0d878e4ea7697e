/**
 * Leadership transfer (§3.10): the leader stops taking proposals, brings the target's log up to its own, and
 * tells it to start an election at once. If that has not ended its leadership within an election time-out, it
 * goes on as before.
 */
import type { ReplicaId } from "../core/ids.js";
import { NOBODY } from "./configuration.js";
import type { Progress } from "./progress.js";
import { forbidLease } from "./reads.js";
import type { Replica } from "./replica.js";

/** Ignored unless this replica leads and `to` is another voter. */
export function transferLeadership(replica: Replica, to: ReplicaId): void {
  if (replica.role !== "leader" || replica.transferTo === to) return;
  const target = replica.members.get(to);
  if (target?.isVoter !== true) return;
  forbidLease(replica.reads);
  replica.transferTo = to;
  replica.transferTick = replica.ticks;
  replica.isReplicationDue = true;
  continueTransfer(replica, target);
}

/** The target may have caught up; asked again with each of its heartbeats, in case the first was lost. */
export function continueTransfer(replica: Replica, member: Progress): void {
  if (replica.transferTo === NOBODY || member.id !== replica.transferTo) return;
  if (member.match === replica.log.lastIndex) sendTimeoutNow(replica, member.id);
}

/** One tick of a leader. */
export function tickTransfer(replica: Replica): void {
  if (replica.transferTo === NOBODY) return;
  const isOver = replica.ticks - replica.transferTick >= replica.options.electionTicks;
  const isVoter = replica.members.get(replica.transferTo)?.isVoter === true;
  if (isOver || !isVoter) replica.transferTo = NOBODY;
}

export function sendTimeoutNow(replica: Replica, to: ReplicaId): void {
  replica.send({ type: "timeout-now", from: replica.id, to, term: replica.term });
}
