/**
 * What a node does from time to time for the groups that it leads or holds: logs shortened in memory, expiry,
 * members that changed, leaders spread evenly, transactions that lost their coordinator.
 */
import type { Configuration } from "../codec/raft-types.js";
import type { Key } from "../core/bytes.js";
import { type GroupId, groupOf, META_GROUP, type NodeId, partitionId, type ReplicaId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import { balanceLeaders } from "../sharding/leaders.js";
import type { Keyspace } from "./cluster-map.js";
import type { Groups } from "./groups.js";
import { makeArgs, PURGE } from "./node-commands.js";
import { dueTime, keyOfExpiry } from "./record.js";
import type { ReplicaGroup } from "./replica-group.js";
import type { Requests } from "./requests.js";
import type { TransactionRunner } from "./transaction-runner.js";
import type { TransactionId } from "./transactions.js";

/** Of the log in memory, for members of all groups that get a snapshot and will need what follows it. */
const SNAPSHOT_KEPT_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Keeps the log short in memory: `bytesKept` in all groups, and what followers need. On disk it is kept from the
 * last checkpoint on, which is what a restart needs.
 */
export function trimLogs(groups: Groups, bytesKept: number): void {
  let count = 0;
  let sending = 0;
  for (const group of groups.all()) {
    count += 1;
    if (group.sendsSnapshots) sending += 1;
  }
  for (const group of groups.all()) {
    group.trimLog(bytesKept / count, SNAPSHOT_KEPT_BYTES_MAX / Math.max(1, sending));
  }
}

/** Keys purged in one round of one partition. */
const PURGES_MAX = 1_000;

/** Replicated expiry: the leader proposes to purge what is due by its clock. */
export class Expiry {
  readonly #groups: Groups;
  readonly #requests: Requests;
  readonly #clock: Clock;
  readonly #busy = new Set<ReplicaGroup>();

  constructor(groups: Groups, requests: Requests, clock: Clock) {
    this.#groups = groups;
    this.#requests = requests;
    this.#clock = clock;
  }

  run(): void {
    for (const group of this.#groups.all()) {
      if (group.isLeader && group.store.count("expiry") > 0 && !this.#busy.has(group)) this.#purgeDue(group);
    }
  }

  #purgeDue(group: ReplicaGroup): void {
    const end = dueTime(this.#clock.wallMs() + 1);
    const due: Key[] = [];
    for (const [indexKey] of group.store.range("expiry")) {
      if (indexKey >= end || due.length === PURGES_MAX) break;
      due.push(keyOfExpiry(indexKey));
    }
    if (due.length === 0) return;
    this.#busy.add(group);
    let open = due.length;
    const onReply = () => {
      open -= 1;
      if (open === 0) this.#busy.delete(group);
    };
    for (const key of due) {
      const args = makeArgs([PURGE.name, key]);
      this.#requests.writeOwn(group.id, PURGE, args, "majority", { onReply });
    }
  }
}

/** A learner this close to the leader's log is made a voter, when it follows it. */
const CAUGHT_UP_ENTRIES = 64;

/** Brings each led group's members to what the cluster map says, one step at a time. */
export class Members {
  readonly #groups: Groups;
  readonly #logger: Logger;

  constructor(groups: Groups, logger: Logger) {
    this.#groups = groups;
    this.#logger = logger;
  }

  /** `wanted`: the replicas that are to hold a group; undefined when the map does not know it. */
  run(wanted: (group: ReplicaGroup) => readonly ReplicaId[] | undefined): void {
    for (const group of this.#groups.all()) {
      if (!group.isLeader || !group.core.canServe) continue;
      const replicas = wanted(group);
      const target = replicas && nextConfiguration(group, replicas);
      if (target === undefined) continue;
      const result = group.core.proposeConfiguration(target);
      this.#groups.wake(group);
      if (result.ok) {
        this.#logger.info("changing the members of a group", {
          group: group.id,
          voters: target.voters.join(","),
          learners: target.learners.join(","),
        });
      }
    }
  }
}

/** The next step towards `wanted`: newcomers learn first, and vote once they have caught up. */
function nextConfiguration(group: ReplicaGroup, wanted: readonly ReplicaId[]): Configuration | undefined {
  const { voters, votersOutgoing, learners } = group.core.configuration;
  if (votersOutgoing.length > 0) return undefined;
  const staying = voters.filter((voter) => wanted.includes(voter));
  // One that was away for a moment stays in the state `probe` while there is nothing to send: it has all of it.
  const isCaughtUp = (learner: ReplicaId) =>
    group.core.matchOf(learner) + CAUGHT_UP_ENTRIES >= group.core.lastIndex &&
    group.core
      .status()
      .progress.some(
        ({ id, recentlyActive, state }) => id === learner && recentlyActive && state !== "snapshot",
      );
  const promoted = learners.filter((learner) => wanted.includes(learner) && isCaughtUp(learner));
  const learning = wanted.filter((id) => !staying.includes(id) && !promoted.includes(id));
  // Nobody leaves while the group would be left with none that can vote.
  if (staying.length === 0 && promoted.length === 0) return undefined;
  const next = { voters: [...staying, ...promoted], votersOutgoing: [], learners: learning };
  return sameMembers(next.voters, voters) && sameMembers(next.learners, learners) ? undefined : next;
}

function sameMembers(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** What `spreadLeaders` needs to know. */
export interface LeaderSpread {
  readonly self: NodeId;
  readonly groups: Groups;
  readonly keyspace: Keyspace;
  readonly available: ReadonlySet<NodeId>;
  leaderOf(group: GroupId): NodeId | undefined;
  replicaOn(node: NodeId): ReplicaId | undefined;
}

/** Hands over one of this node's groups when it leads more than its share. */
export function spreadLeaders(spread: LeaderSpread): void {
  const { id: keyspaceId, placement } = spread.keyspace;
  const groupIds = placement.map((_, i) => groupOf(keyspaceId, partitionId(i)));
  const moves = balanceLeaders({
    placement,
    current: groupIds.map((id) => spread.leaderOf(id)),
    available: spread.available,
  });
  const move = moves.find((candidate) => candidate.from === spread.self);
  if (move === undefined) return;
  const group = spread.groups.get(groupIds[move.partition]);
  const to = spread.replicaOn(move.to);
  if (group === undefined || to === undefined || !group.isLeader) return;
  if (!group.core.configuration.voters.includes(to)) return;
  // A follower that is behind would have to be waited for.
  if (group.core.matchOf(to) + CAUGHT_UP_ENTRIES < group.core.lastIndex) return;
  group.core.transferLeadership(to);
  spread.groups.wake(group);
}

/** Prepared for so long, a transaction's coordinator is taken for gone. */
const ABANDONED_AFTER_MS = 4_000;
/** Finished at once by one node. */
const FINISHING_MAX = 64;

/** Finishes transactions whose coordinator is gone. */
export class AbandonedTransactions {
  readonly #groups: Groups;
  readonly #runner: TransactionRunner;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #seenMs = new Map<TransactionId, number>();
  #finishing = 0;

  constructor(groups: Groups, runner: TransactionRunner, clock: Clock, logger: Logger) {
    this.#groups = groups;
    this.#runner = runner;
    this.#clock = clock;
    this.#logger = logger;
  }

  run(): void {
    const nowMs = this.#clock.monotonicMs();
    const open = new Set<TransactionId>();
    for (const group of this.#groups.all()) {
      if (!group.isLeader || group.id === META_GROUP) continue;
      const { transactions } = group.machine;
      for (const { id, participants } of transactions.allPrepared()) this.#see(id, participants, nowMs, open);
      // And what is done, but not known to be everywhere: it is to be forgotten.
      for (const [id, participants] of transactions.allCommitted()) this.#see(id, participants, nowMs, open);
    }
    for (const id of this.#seenMs.keys()) if (!open.has(id)) this.#seenMs.delete(id);
  }

  #see(id: TransactionId, participants: readonly GroupId[], nowMs: number, open: Set<TransactionId>): void {
    open.add(id);
    const seenMs = this.#seenMs.get(id);
    if (seenMs === undefined) this.#seenMs.set(id, nowMs);
    if (seenMs === undefined || nowMs - seenMs <= ABANDONED_AFTER_MS) return;
    if (this.#finishing >= FINISHING_MAX) return;
    this.#seenMs.set(id, nowMs);
    this.#finish(id, participants).catch((error: unknown) => {
      this.#logger.warn("an abandoned transaction could not be finished yet", { id, error: String(error) });
    });
  }

  async #finish(id: TransactionId, participants: readonly GroupId[]): Promise<void> {
    this.#finishing += 1;
    try {
      await this.#runner.finish(id, participants);
    } finally {
      this.#finishing -= 1;
    }
  }
}

/** For a clean stop: hands every led group to a voter that has caught up. */
export function handOverLeadership(groups: Groups, isUp: (replica: ReplicaId) => boolean): number {
  let left = 0;
  for (const group of groups.all()) {
    if (!group.isLeader) continue;
    const { core } = group;
    const candidates = core.configuration.voters.filter((voter) => voter !== group.replica && isUp(voter));
    if (candidates.length === 0) continue;
    left += 1;
    const best = candidates.reduce((a, b) => (core.matchOf(b) > core.matchOf(a) ? b : a));
    core.transferLeadership(best);
    groups.wake(group);
  }
  return left;
}
