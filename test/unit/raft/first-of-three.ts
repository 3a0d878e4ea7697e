/** What one replica, the first of three, is made with in tests that look at it alone. */
import { replicaId } from "../../../src/core/ids.js";
import type { RaftOptions } from "../../../src/raft/types.js";

export const OPTIONS: RaftOptions = {
  id: replicaId(1),
  electionTicks: 10,
  heartbeatTicks: 1,
  inflightMessagesMax: 8,
  appendBytesMax: 1024,
  uncommittedBytesMax: 1024,
  preVote: false,
  checkQuorum: true,
  readMode: "quorum",
  random: () => 0.5,
};
