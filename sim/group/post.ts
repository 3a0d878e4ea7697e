/**
 * Messages between the replicas of one group: under way, lost, repeated, out of order, slow in one direction, and
 * very late. What a transport has taken may arrive whatever became of its sender and receiver meanwhile.
 */
import type { Message } from "../../src/codec/raft-types.js";
import type { ReplicaId } from "../../src/core/ids.js";
import type { SeededRandom } from "../world/random.js";

/** More messages under way than this and the oldest are lost: what is repeated must not drown what is new. */
const UNDER_WAY_MAX = 200;
const LATE_MAX = 40;

interface Slow {
  readonly message: Message;
  readonly dueTick: number;
}

export class Post {
  readonly #random: SeededRandom;
  #underWay: Message[] = [];
  /** In the order sent; each is under way once it is due. */
  #slow: Slow[] = [];
  /** Copies of messages that arrived or were lost long ago. */
  readonly #late: Message[] = [];
  readonly #cut = new Set<string>();
  /** By link: how many ticks a message takes. */
  readonly #delays = new Map<string, number>();
  lossProbability = 0;
  /** That a copy of a message stays behind. */
  lateProbability = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  send(message: Message, nowTick: number): void {
    const random = this.#random;
    const link = `${message.from}>${message.to}`;
    if (this.lateProbability > 0 && random.chance(this.lateProbability)) this.#keep(message);
    if (this.#cut.has(link) || random.chance(this.lossProbability)) return;
    const delay = this.#delays.get(link);
    if (delay === undefined) this.#dispatch(message);
    else this.#slow.push({ message, dueTick: nowTick + delay });
  }

  #keep(message: Message): void {
    if (this.#late.length < LATE_MAX) this.#late.push(message);
    else this.#late[this.#random.below(LATE_MAX)] = message;
  }

  #dispatch(message: Message): void {
    this.#underWay.push(message);
    if (this.#underWay.length > UNDER_WAY_MAX) this.#underWay.splice(0, UNDER_WAY_MAX / 2);
  }

  /** What was slow and is due is under way. */
  tick(nowTick: number): void {
    if (this.#slow.length === 0) return;
    for (const { message, dueTick } of this.#slow) if (dueTick <= nowTick) this.#dispatch(message);
    this.#slow = this.#slow.filter(({ dueTick }) => dueTick > nowTick);
  }

  /** The next to arrive: mostly in order, sometimes any: what arrives late is what breaks assumptions. */
  next(): Message | undefined {
    const random = this.#random;
    if (this.#underWay.length === 0) return undefined;
    const at = random.chance(0.7) ? 0 : random.below(this.#underWay.length);
    const message = this.#underWay[at];
    if (random.chance(0.95)) this.#underWay.splice(at, 1);
    return message;
  }

  /** One that nobody waits for any more. */
  nextLate(): Message | undefined {
    return this.#late.length === 0 ? undefined : this.#random.pick(this.#late);
  }

  isCut({ from, to }: Message): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  cut(from: ReplicaId, to: ReplicaId): void {
    this.#cut.add(`${from}>${to}`);
  }

  muffle(from: ReplicaId, all: readonly ReplicaId[]): void {
    for (const to of all) this.cut(from, to);
  }

  mend(): void {
    this.#cut.clear();
  }

  /** In this direction alone, and more than before. */
  slowDown(from: ReplicaId, to: ReplicaId, ticks: number): void {
    const link = `${from}>${to}`;
    this.#delays.set(link, ticks + (this.#delays.get(link) ?? 0));
  }

  speedUp(): void {
    this.#delays.clear();
  }

  /** No faults any more; what is under way arrives, however late it is. */
  heal(): void {
    this.#cut.clear();
    this.#delays.clear();
    this.lossProbability = 0;
    this.lateProbability = 0;
    for (const { message } of this.#slow.splice(0)) this.#underWay.push(message);
    this.#underWay.push(...this.#late.splice(0));
  }

  /** Everything under way, at once. */
  takeAll(): Message[] {
    return this.#underWay.splice(0);
  }
}
