/**
 * Configuration changes, on the leader.
 *
 * - One change at a time: the next waits until the last one is committed and out of its joint configuration.
 * - None before the leader has committed in its own term: else two leaders could each build on a configuration
 *   that the other has not seen (Ongaro's correction of §4.1, raft-dev, 2015).
 * - A committed joint configuration is left by the leader itself, also by one that inherited it.
 * - A leader that is no voter any more leads until the change is committed (§4.2.2), then hands over.
 */
import { encodeConfiguration } from "../codec/raft-entry.js";
import type { Configuration } from "../codec/raft-types.js";
import { checkTarget, firstStep, isJoint, lastStep, NOBODY } from "./configuration.js";
import { forbidLease, onReadRoundConfirmed, voidLease } from "./reads.js";
import type { Replica } from "./replica.js";
import { appendOwn, replicate } from "./replication.js";
import { becomeFollower } from "./roles.js";
import { sendTimeoutNow } from "./transfer.js";
import type { ProposeResult } from "./types.js";

/** Takes the first step to `target`. Throws `MinikeyError` `BAD_REQUEST` for an impossible one. */
export function proposeConfiguration(replica: Replica, target: Configuration): ProposeResult {
  checkTarget(target);
  if (replica.role !== "leader") return { ok: false, reason: "not-leader" };
  if (replica.transferTo !== NOBODY) return { ok: false, reason: "transferring" };
  const isSettled = replica.isTermCommitted && replica.history.currentIndex <= replica.commit;
  if (!isSettled || isJoint(replica.configuration)) return { ok: false, reason: "config-in-progress" };
  const index = appendConfiguration(replica, firstStep(replica.configuration, target));
  return { ok: true, index, term: replica.term };
}

/** The commit index has moved: the configuration may be settled now. */
export function onConfigurationCommitted(replica: Replica): void {
  if (replica.history.currentIndex > replica.commit) return;
  if (isJoint(replica.configuration)) appendConfiguration(replica, lastStep(replica.configuration));
  else if (!replica.members.self.isVoter) retire(replica);
}

function appendConfiguration(replica: Replica, configuration: Configuration): ReturnType<typeof appendOwn> {
  const appended = appendOwn(replica, "config", encodeConfiguration(configuration));
  // Nobody else may be left to answer the round under way.
  onReadRoundConfirmed(replica);
  voidLease(replica.reads);
  return appended;
}

/** Tells the rest what is committed, and the voter that has most of the log to take over. */
function retire(replica: Replica): void {
  replicate(replica);
  const voters = replica.members.others.filter((member) => member.isVoter);
  const successor = voters.reduce((best, member) => (member.match > best.match ? member : best));
  forbidLease(replica.reads);
  sendTimeoutNow(replica, successor.id);
  becomeFollower(replica, replica.term, NOBODY);
}
