/**
 * The leader's side of writes: what becomes a proposal, and what is not taken, now or here.
 *
 * A batch that is refused here is certainly not in a log: whoever sent it keeps it and tries again until its time
 * is over.
 */
import type { CommandSpec } from "../commands/types.js";
import type { Bytes } from "../core/bytes.js";
import { type GroupId, META_GROUP, type NodeId, type ReplicaId } from "../core/ids.js";
import type { Transport } from "../ports/transport.js";
import { firstOpcode } from "./batch.js";
import type { StorageLag } from "./checkpoints.js";
import type { NodeCommandSpec } from "./node-commands.js";
import type { ReplicaGroup } from "./replica-group.js";

export interface ProposalsHost {
  readonly self: NodeId;
  readonly transport: Transport;
  replica(group: GroupId): ReplicaGroup | undefined;
  nodeOf(replica: ReplicaId): NodeId | undefined;
  readonly writeSpecOf: (opcode: number) => CommandSpec | NodeCommandSpec | undefined;
  /** How far this node's disk is behind the writes. */
  storageLag(): StorageLag;
}

export class Proposals {
  readonly #host: ProposalsHost;

  constructor(host: ProposalsHost) {
    this.#host = host;
  }

  propose(group: GroupId, batch: Bytes): "proposed" | "not-leader" | "overloaded" {
    const replica = this.#host.replica(group);
    // Without a majority in reach a proposal would only make the outcome uncertain.
    if (replica === undefined || !replica.isLeader || !this.reachesMajority(replica)) return "not-leader";
    const lag = this.#host.storageLag();
    if (lag !== "none" && this.#mustWait(group, batch, lag)) return "overloaded";
    const result = replica.propose(batch);
    if (result.ok) return "proposed";
    return result.reason === "overloaded" ? "overloaded" : "not-leader";
  }

  /**
   * What keeps the cluster going does not wait for the disk: the map, numbers that must be used, and, while there
   * is room, the steps of transactions, which hold keys.
   */
  #mustWait(group: GroupId, batch: Bytes, lag: StorageLag): boolean {
    const opcode = firstOpcode(batch);
    if (group === META_GROUP || opcode === undefined) return false;
    const spec = this.#host.writeSpecOf(opcode);
    const isStep = spec !== undefined && "apply" in spec && spec.ignoresLocks;
    return !isStep || lag === "far";
  }

  /** Whether enough of the replicas can be heard to commit anything. */
  reachesMajority(replica: ReplicaGroup): boolean {
    const { voters, votersOutgoing } = replica.core.configuration;
    return this.#reachesMajorityOf(voters) && this.#reachesMajorityOf(votersOutgoing);
  }

  #reachesMajorityOf(voters: readonly ReplicaId[]): boolean {
    if (voters.length === 0) return true;
    let reached = 0;
    for (const voter of voters) {
      const node = this.#host.nodeOf(voter);
      if (node !== undefined && (node === this.#host.self || this.#host.transport.isUp(node))) reached += 1;
    }
    return reached > voters.length / 2;
  }
}
