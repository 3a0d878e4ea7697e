/**
 * Elections after a start: nodes that start together know of no leader, and each would wait for an election
 * time-out before it asks for votes. Nobody has to wait for a leader that nobody has heard of: a group without
 * one asks as soon as a majority of it is connected.
 *
 * - The voters of a group take turns, in the order of its configuration, so that votes are not split and every
 *   node starts with its share of leaders. The next one's turn comes when the one before cannot win.
 * - It asks as every other election does, by a pre-vote: where there is a leader, that changes nothing.
 * - A group is left alone once it has had a leader here.
 *
 * Source: dissertation §9.6 (pre-vote); §3.4 (time-outs need only be longer than broadcasts).
 */
import type { ReplicaId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Groups } from "./groups.js";
import type { ReplicaGroup } from "./replica-group.js";

/** Between the turns of two replicas: far more than an election takes. */
const TURN_MS = 100;

export class FirstElections {
  readonly #groups: Groups;
  readonly #clock: Clock;
  readonly #isUp: (replica: ReplicaId) => boolean;
  /** Groups that have had a leader. */
  readonly #led = new WeakSet<ReplicaGroup>();
  /** When this replica asks for votes next, for groups of which a majority is connected. */
  readonly #dueMs = new WeakMap<ReplicaGroup, number>();

  /** `isUp`: whether a replica on another node is connected. */
  constructor(groups: Groups, clock: Clock, isUp: (replica: ReplicaId) => boolean) {
    this.#groups = groups;
    this.#clock = clock;
    this.#isUp = isUp;
  }

  /** From time to time: asks for the votes that are due. */
  run(): void {
    for (const group of this.#groups.all()) {
      if (this.#led.has(group)) continue;
      if (group.core.leader === 0) this.#askInTurn(group);
      else this.#led.add(group);
    }
  }

  #askInTurn(group: ReplicaGroup): void {
    const { voters } = group.core.configuration;
    const turn = voters.indexOf(group.replica);
    const connected = voters.filter((voter) => voter === group.replica || this.#isUp(voter)).length;
    if (turn === -1 || connected * 2 <= voters.length) return;
    const nowMs = this.#clock.monotonicMs();
    const dueMs = this.#dueMs.get(group) ?? nowMs + turn * TURN_MS;
    this.#dueMs.set(group, nowMs < dueMs ? dueMs : nowMs + voters.length * TURN_MS);
    if (nowMs < dueMs) return;
    group.core.campaign();
    this.#groups.wake(group);
  }
}
