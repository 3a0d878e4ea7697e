/**
 * Elections after a start: nodes that start together know of no leader, and each would wait for an election
 * time-out before it asks for votes. Nobody has to wait for a leader that nobody has heard of: a group without
 * one asks as soon as a majority of it is connected.
 *
 * - The voters of a group take turns, in the order of its configuration, so that votes are not split and every
 *   node starts with its share of leaders. The next one's turn comes when the one before cannot win. How long that
 *   takes depends on how far the nodes are from each other: after a round without a leader, turns are twice as long.
 * - It asks as every other election does, by a pre-vote: where there is a leader, that changes nothing.
 * - A group is left alone once it has had a leader here.
 *
 * Source: dissertation §9.6 (pre-vote); §3.4 (time-outs need only be longer than broadcasts).
 */
import type { ReplicaId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Groups } from "./groups.js";
import type { ReplicaGroup } from "./replica-group.js";

/** Between the turns of two replicas, in the first round: far more than an election takes between neighbours. */
const TURN_MS = 100;
/** An election that takes longer would be given up by those who take part (node.ts). */
const TURN_MS_MAX = 1_600;

/** When a replica asks for votes next, and how long the turns of that round are. */
interface Turn {
  readonly dueMs: number;
  readonly lengthMs: number;
}

export class FirstElections {
  readonly #groups: Groups;
  readonly #clock: Clock;
  readonly #isUp: (replica: ReplicaId) => boolean;
  /** Groups that have had a leader. */
  readonly #led = new WeakSet<ReplicaGroup>();
  /** This replica's next, for groups of which a majority is connected. */
  readonly #turns = new WeakMap<ReplicaGroup, Turn>();

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
    const place = voters.indexOf(group.replica);
    const connected = voters.filter((voter) => voter === group.replica || this.#isUp(voter)).length;
    if (place === -1 || connected * 2 <= voters.length) return;
    const nowMs = this.#clock.monotonicMs();
    const turn = this.#turns.get(group) ?? { dueMs: nowMs + place * TURN_MS, lengthMs: TURN_MS };
    if (nowMs < turn.dueMs) {
      this.#turns.set(group, turn);
      return;
    }
    // Those after it in this round, and those before it in the next.
    const nextLengthMs = Math.min(2 * turn.lengthMs, TURN_MS_MAX);
    const waitMs = (voters.length - place) * turn.lengthMs + place * nextLengthMs;
    this.#turns.set(group, { dueMs: nowMs + waitMs, lengthMs: nextLengthMs });
    group.core.campaign();
    this.#groups.wake(group);
  }
}
