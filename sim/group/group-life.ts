/**
 * A random life of a consensus group, from a seed: messages are lost, repeated and reordered, replicas crash
 * and lose what was not written, links break, members change, logs are compacted. After every step the
 * invariants are checked; at the end everything heals, and the group must come to agree.
 */

import { decodeMessage, encodeMessage } from "../../src/codec/raft-message.js";
import type { Configuration, Message } from "../../src/codec/raft-types.js";
import { concatBytes, latin1ToBytes } from "../../src/core/bytes.js";
import { crc32c } from "../../src/core/crc32c.js";
import { type ReplicaId, replicaId } from "../../src/core/ids.js";
import { Violation } from "../checks/violation.js";
import { SeededRandom } from "../world/random.js";
import { Trace } from "../world/trace.js";
import { freshState, Host } from "./host.js";
import { Invariants } from "./invariants.js";
import { moodOf } from "./mood.js";
import { Post } from "./post.js";

export interface GroupLifeOptions {
  readonly seed: number;
  readonly steps: number;
  /** Reads by lease (§6.4.1), and clocks that run at one speed. */
  readonly isLease: boolean;
  /** Gets the timeline, line by line. */
  readonly trace?: (line: string) => void;
}

type Action = (life: GroupLife) => void;
type WeightedAction = readonly [weight: number, action: Action];

const ELECTION_TICKS = 8;
const REPLICAS_MAX = 5;
/** Until a healed group agrees; and without pre-vote, where who cannot win may run for long (§4.2.3). */
const HEAL_TICKS = 400;
const HEAL_TICKS_DISTURBED = 4_000;

export class GroupLife {
  readonly #random: SeededRandom;
  readonly #options: GroupLifeOptions;
  readonly #hosts = new Map<ReplicaId, Host>();
  readonly #ids: ReplicaId[] = [];
  readonly invariants: Invariants;
  readonly #post: Post;
  readonly #down = new Set<ReplicaId>();
  #stepsDone = 0;
  #plans: { readonly step: number; readonly action: Action }[] = [];
  /** By each replica, on the whole. */
  ticks = 0;
  /** Proposals that a leader took. */
  writes = 0;
  /** By name: what was done to the group. */
  readonly faults = new Map<string, number>();
  #nextValue = 1;
  #nextRead = 1;
  readonly #readsOf = new Map<ReplicaId, number[]>();
  readonly #trace: Trace;
  readonly #actions: readonly WeightedAction[];
  readonly #weightTotal: number;

  constructor(options: GroupLifeOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#post = new Post(this.#random);
    this.#trace = new Trace(() => this.#stepsDone, options.trace);
    this.invariants = new Invariants(this.#hosts);
    const { isLate, isRestless, isBusy } = moodOf(options.seed);
    const sizes = isRestless ? [2, 4, 4, 4] : isLate ? [3, 3, 5] : [1, 3, 3, 3, 4, 5];
    const votersAtStart = this.#random.pick(sizes);
    for (let i = 1; i <= REPLICAS_MAX; i += 1) this.#ids.push(replicaId(i));
    const voters = this.#ids.slice(0, votersAtStart);
    for (const id of this.#ids) this.#addHost(id, voters.includes(id) ? voters : []);
    // Some lives are calm, some stormy: rare events alone rarely meet.
    const storm = this.#random.pick(isBusy ? [0, 0.3, 1] : [0, 0.3, 1, 3]);
    const changes = this.#random.pick([0, 0, 2, 8]);
    // How long a message takes, in ticks, is what leases and time-outs rest on.
    const ticks = this.#random.pick(
      options.isLease ? (isBusy ? [20, 50, 100] : [2, 8, 20, 50]) : isBusy ? [40, 80, 120] : [20, 40, 80],
    );
    this.#actions = [
      [isBusy ? 250 : 90, (s) => s.#deliver()],
      [isBusy ? 120 : 40, (s) => s.#write()],
      [ticks, (s) => s.#tick()],
      [12, (s) => s.#propose()],
      [options.isLease ? 20 : 8, (s) => s.#read()],
      [10, (s) => s.#movePiece()],
      [4, (s) => s.#compact()],
      [1.5 * storm, (s) => s.#crash()],
      [1 * storm, (s) => s.#bounce()],
      [isBusy ? 8 : 4, (s) => s.#restart()],
      [1.5 * storm, (s) => s.#cutLink()],
      [1, (s) => s.#cutOff()],
      [isBusy && !options.isLease ? 5 : 2, (s) => s.#post.mend()],
      [1 * storm, (s) => s.#changeLoss()],
      [changes, (s) => s.#changeMembers()],
      [0.7, (s) => s.#transfer()],
      [1.5, (s) => s.#anyHost()?.raft.campaign()],
      [1.5, (s) => s.#reportUnreachable()],
      [isLate ? 12 : 0, (s) => s.#deliverLate()],
      [isLate ? 1 : 0, (s) => s.#muffle()],
      [isLate ? 2 : 0, (s) => s.#slowDown()],
      [isLate ? 0.7 : 0, (s) => s.#post.speedUp()],
      [isLate ? 3 : 0, (s) => s.#interregnum()],
      [isLate && options.isLease ? 4 : 0, (s) => s.#congest()],
      [isBusy && options.isLease ? 2 : 0, (s) => s.#blackout()],
      [isRestless ? 0.5 : 0, (s) => s.#split()],
      [isRestless ? 6 : 0, (s) => s.#coup()],
      [isRestless ? 6 : 0, (s) => s.#changeVoter()],
    ];
    if (isLate) this.#post.lateProbability = 0.2;
    this.#weightTotal = this.#actions.reduce((sum, [weight]) => sum + weight, 0);
  }

  run(): void {
    for (let i = 0; i < this.#options.steps; i += 1) {
      this.#stepsDone += 1;
      this.#pickAction()(this);
      this.#settle();
      this.#followUp();
    }
    this.#heal();
  }

  get #hasPreVote(): boolean {
    return this.#options.seed % 3 !== 0;
  }

  #addHost(id: ReplicaId, voters: ReplicaId[]): void {
    const { isLease } = this.#options;
    const random = this.#random;
    const preVote = this.#hasPreVote;
    const options = {
      pieceBytes: 150,
      isDiskInstant: false,
      raft: {
        id,
        random: () => random.unit(),
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: 2,
        inflightMessagesMax: 3,
        appendBytesMax: 12,
        uncommittedBytesMax: 60,
        readMode: isLease ? ("lease" as const) : ("quorum" as const),
        preVote,
        // Without either, replicas that were removed and do not know it disturb the others for ever (§4.2.3).
        checkQuorum: isLease || !preVote || this.#options.seed % 5 !== 0,
      },
    };
    const host: Host = new Host(options, freshState(voters), {
      onMessage: (message) => this.#send(host, message),
      onReadState: (state) => this.invariants.onRead(state),
      onApplied: (entry) => this.invariants.onApplied(host, entry),
      onRole: (change) => this.#tell(id, `${change.role} of ${change.leader} in term ${change.term}`),
      onReady: ({ append }) => append !== undefined && this.invariants.onAppend(host, append),
    });
    this.#hosts.set(id, host);
    this.#readsOf.set(id, []);
  }

  #count(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
  }

  #pickAction(): Action {
    let rest = this.#random.unit() * this.#weightTotal;
    for (const [weight, action] of this.#actions) {
      rest -= weight;
      if (rest < 0) return action;
    }
    return this.#actions[0][1];
  }

  /** What was begun goes on. */
  #followUp(): void {
    if (this.#plans.length === 0) return;
    const due = this.#plans.filter(({ step }) => step === this.#stepsDone);
    if (due.length > 0) this.#plans = this.#plans.filter(({ step }) => step > this.#stepsDone);
    for (const { action } of due) {
      action(this);
      this.#settle();
    }
  }

  /** One after the other, with some steps before each. */
  #plan(...actions: readonly (readonly [stepsMax: number, action: Action])[]): void {
    let step = this.#stepsDone;
    for (const [stepsMax, action] of actions) {
      step += 1 + this.#random.below(stepsMax);
      this.#plans.push({ step, action });
    }
  }

  /** Hosts take their turns; sometimes several inputs share one. */
  #settle(): void {
    for (const host of this.#hosts.values()) {
      if (this.#down.has(host.id)) continue;
      this.invariants.check(host);
      if (host.raft.hasReady() && this.#random.chance(0.8)) host.turn();
      this.invariants.check(host);
    }
  }

  #tell(id: ReplicaId, text: string): void {
    this.#trace.tell(`${id}`, text);
  }

  /** Equal for two lives of a seed: of every event. */
  get digest(): string {
    return this.#trace.digest;
  }

  get events(): number {
    return this.#trace.events;
  }

  #anyHost(): Host | undefined {
    const up = this.#ids.filter((id) => !this.#down.has(id));
    return up.length === 0 ? undefined : this.#hosts.get(this.#random.pick(up));
  }

  #anyLeader(): Host | undefined {
    const leaders = [...this.#hosts.values()].filter(
      ({ id, raft }) => !this.#down.has(id) && raft.role === "leader",
    );
    return leaders.length === 0 ? undefined : this.#random.pick(leaders);
  }

  #send(host: Host, message: Message): void {
    this.invariants.onMessage(host, message);
    this.#post.send(message, this.ticks);
  }

  #deliver(): void {
    const message = this.#post.next();
    if (message !== undefined) this.#receive(message);
  }

  #deliverLate(): void {
    const message = this.#post.nextLate();
    if (message === undefined) return;
    this.#count("late message");
    this.#receive(message);
  }

  #receive(message: Message): void {
    if (this.#down.has(message.to) || this.#post.isCut(message)) return;
    const bytes = concatBytes(encodeMessage(message));
    this.#trace.note(message.from, message.to, crc32c(bytes));
    if (this.#trace.isWritten) this.#trace.say(`${message.to}`, `hears ${JSON.stringify(message)}`);
    this.#hosts.get(message.to)!.raft.step(decodeMessage(bytes));
  }

  #write(): void {
    const writing = this.#ids.filter((id) => this.#hosts.get(id)!.appends.length > 0);
    if (writing.length === 0) return;
    const host = this.#hosts.get(this.#random.pick(writing))!;
    this.#tell(host.id, `append ${host.appends[0].number} durable`);
    host.writeNext();
  }

  /** Leases trust clocks: with one, all tick together. */
  #tick(): void {
    this.ticks += this.#options.isLease ? 1 : 1 / REPLICAS_MAX;
    this.#post.tick(this.ticks);
    if (!this.#options.isLease) return this.#anyHost()?.raft.tick();
    for (const host of this.#hosts.values()) {
      if (this.#down.has(host.id)) continue;
      this.#tell(host.id, "tick");
      host.raft.tick();
    }
  }

  #propose(): void {
    const host = this.#anyLeader() ?? this.#anyHost();
    const result = host?.raft.propose(latin1ToBytes(`v${this.#nextValue++}`));
    if (host === undefined || result?.ok !== true) return;
    this.writes += 1;
    this.#tell(host.id, `proposed at ${result.index}`);
  }

  #read(): void {
    const host = this.#random.chance(0.5) ? this.#anyLeader() : this.#anyHost();
    if (host === undefined) return;
    const context = this.#nextRead++;
    this.#tell(host.id, `read ${context} asked`);
    this.#readsOf.get(host.id)!.push(context);
    this.invariants.onReadAsked(context);
    host.raft.readIndex(context);
  }

  #movePiece(): void {
    const host = this.#anyHost();
    if (host === undefined) return;
    const read = host.snapshotReads.shift();
    if (read !== undefined) {
      if (this.#random.chance(0.1)) host.raft.snapshotFailed(read.to);
      else host.readPiece(read);
    }
    const write = host.snapshotWrites.shift();
    if (write === undefined) return;
    this.#tell(host.id, `stores piece ${write.offsetBytes} of ${write.meta.index}, done ${write.done}`);
    if (this.#random.chance(0.05)) host.raft.snapshotRejected(write.meta);
    else host.storePiece(write);
  }

  #compact(): void {
    const host = this.#anyHost();
    if (host === undefined || host.lastApplied === 0) return;
    const index = this.#random.chance(0.3) ? 0 : 1 + this.#random.below(host.lastApplied);
    this.#tell(host.id, `checkpoint at ${host.lastApplied}, compaction to ${index}`);
    host.compact(index);
  }

  /** Some of what was being written may be there afterwards. */
  #crash(): void {
    const host = this.#anyHost();
    if (host !== undefined) this.#crashHost(host);
  }

  #crashHost(host: Host): void {
    const survivors = this.#random.below(host.appends.length + 1);
    this.#count("crash");
    this.#tell(host.id, `crash, ${survivors} of ${host.appends.length} appends survive`);
    host.crash(survivors);
    this.#down.add(host.id);
    this.invariants.onCrash(host, this.#readsOf.get(host.id)!.splice(0));
    for (const other of this.#hosts.values()) {
      if (!this.#down.has(other.id) && this.#random.chance(0.5)) other.raft.reportUnreachable(host.id);
    }
  }

  /** Dies and is back at once, before anybody misses it. */
  #bounce(): void {
    this.#crash();
    this.#restart();
  }

  #restart(): void {
    const down = this.#ids.filter((id) => this.#down.has(id));
    if (down.length > 0) this.#restartHost(this.#random.pick(down));
  }

  #restartHost(id: ReplicaId): void {
    this.#down.delete(id);
    this.#tell(id, "restart");
    this.#hosts.get(id)!.restart();
  }

  #cutLink(): void {
    this.#count("cut");
    this.#post.cut(this.#random.pick(this.#ids), this.#random.pick(this.#ids));
  }

  /** One replica, often the leader, hears and is heard by nobody. */
  #cutOff(): void {
    const id = (this.#random.chance(0.6) ? this.#anyLeader() : this.#anyHost())?.id;
    if (id === undefined) return;
    this.#count("cut off");
    this.#tell(id, "cut off");
    const isNoticed = this.#random.chance(0.5);
    for (const other of this.#ids) {
      this.#post.cut(id, other);
      this.#post.cut(other, id);
      if (isNoticed && !this.#down.has(other)) this.#hosts.get(other)!.raft.reportUnreachable(id);
    }
  }

  /** One replica, often the leader, hears everybody, and nobody hears it. */
  #muffle(): void {
    const id = (this.#random.chance(0.6) ? this.#anyLeader() : this.#anyHost())?.id;
    if (id === undefined) return;
    this.#count("muffled");
    this.#tell(id, "heard by nobody");
    this.#post.muffle(id, this.#ids);
  }

  /** What one replica, often the leader, is sent takes longer and longer to arrive. */
  #slowDown(): void {
    const id = (this.#random.chance(0.6) ? this.#anyLeader() : this.#anyHost())?.id;
    if (id === undefined) return;
    const ticks = 1 + this.#random.below(ELECTION_TICKS);
    this.#count("slow");
    this.#tell(id, `hears ${ticks} ticks later`);
    for (const other of this.#ids) this.#post.slowDown(other, id, ticks);
  }

  /** Two sides that do not hear each other, others than before. */
  #split(): void {
    this.#splitOff(new Set(this.#ids.filter(() => this.#random.chance(0.5))));
  }

  #splitOff(side: ReadonlySet<ReplicaId>): void {
    this.#post.mend();
    const isNoticed = this.#random.chance(0.7);
    this.#count("split");
    this.#tell(this.#ids[0], `split: ${[...side].join()} from the others`);
    for (const id of side) {
      for (const other of this.#ids) {
        if (side.has(other)) continue;
        this.#post.cut(id, other);
        this.#post.cut(other, id);
        if (isNoticed) this.#loseContact(id, other);
      }
    }
  }

  /** What the leader hears grows old, and then it is not heard any more. */
  #congest(): void {
    const id = this.#anyLeader()?.id;
    if (id === undefined || this.#plans.length > 0) return;
    this.#count("congested");
    const slow: Action = (s) => {
      const ticks = 1 + s.#random.below(ELECTION_TICKS / 2);
      for (const other of s.#ids) s.#post.slowDown(other, id, ticks);
    };
    const mend: Action = (s) => {
      s.#post.mend();
      s.#post.speedUp();
    };
    this.#plan([1, slow], [100, slow], [100, slow], [200, (s) => s.#post.muffle(id, s.#ids)], [800, mend]);
  }

  /** The leader is cut off, and all others die and are back at once: what they owe it is not forgotten. */
  #blackout(): void {
    const leader = this.#anyLeader();
    if (leader === undefined || this.#plans.length > 0) return;
    this.#count("blackout");
    this.#splitOff(new Set([leader.id]));
    const bounceOthers: Action = (s) => {
      for (const host of s.#hosts.values()) {
        if (host === leader || s.#down.has(host.id)) continue;
        s.#crashHost(host);
        s.#restartHost(host.id);
      }
    };
    const campaign: Action = (s) => s.#anyHost()?.raft.campaign();
    this.#plan(
      [20, bounceOthers],
      [20, campaign],
      [20, campaign],
      [20, campaign],
      [400, (s) => s.#post.mend()],
    );
  }

  /** The leader goes on with a few, the others elect another, and then it leads them again. */
  #interregnum(): void {
    const leader = this.#anyLeader();
    if (leader === undefined || this.#plans.length > 0) return;
    this.#count("interregnum");
    const { id } = leader;
    this.#splitOff(new Set([id, this.#random.pick(this.#ids)]));
    const propose: Action = (s) => s.#hosts.get(id)!.raft.propose(latin1ToBytes(`v${s.#nextValue++}`));
    const giveBack: Action = (s) => s.#anyLeader()?.raft.transferLeadership(id);
    this.#plan(
      [10, propose],
      [10, propose],
      [10, propose],
      [80, (s) => s.#post.mend()],
      [80, giveBack],
      [80, giveBack],
    );
  }

  /** A leader is cut off while it changes members; the next one changes them, too; then the first is back. */
  #coup(): void {
    const leader = this.#anyLeader();
    if (leader === undefined || this.#plans.length > 0) return;
    this.#count("coup");
    const { id } = leader;
    const change: Action = (s) => s.#changeVoter();
    const campaign: Action = (s) => s.#anyHost()?.raft.campaign();
    const isolate: Action = (s) => s.#splitOff(new Set([id, s.#random.pick(s.#ids)]));
    const goBack: Action = (s) => s.#splitOff(new Set([id, s.#random.pick(s.#ids), s.#random.pick(s.#ids)]));
    this.#changeVoter();
    this.#plan(
      [10, isolate],
      [20, campaign],
      [20, campaign],
      [40, change],
      [20, change],
      [20, change],
      [20, goBack],
      [40, (s) => s.#hosts.get(id)!.raft.campaign()],
      [40, (s) => s.#hosts.get(id)!.raft.campaign()],
      [40, campaign],
      [80, (s) => s.#post.mend()],
    );
  }

  #loseContact(a: ReplicaId, b: ReplicaId): void {
    if (!this.#down.has(a)) this.#hosts.get(a)!.raft.reportUnreachable(b);
    if (!this.#down.has(b)) this.#hosts.get(b)!.raft.reportUnreachable(a);
  }

  #changeLoss(): void {
    this.#post.lossProbability = this.#random.pick([0, 0, 0.1, 0.4]);
  }

  /** To any other members, or, as nodes do, one at a time. */
  #changeMembers(): void {
    const leader = this.#anyLeader();
    if (leader === undefined) return;
    const { configuration } = leader.raft;
    const isOne = this.#random.chance(0.5);
    const changed = this.#random.pick(this.#ids);
    const roles = this.#ids.map((id) => {
      const role = configuration.voters.includes(id) ? 2 : configuration.learners.includes(id) ? 1 : 0;
      return [id, isOne && id !== changed ? role : this.#random.below(4)] as const;
    });
    const voters = roles.filter(([, role]) => role >= 2).map(([id]) => id);
    const learners = roles.filter(([, role]) => role === 1).map(([id]) => id);
    if (voters.length > 0) this.#proposeMembers(leader, { voters, votersOutgoing: [], learners });
  }

  /** One voter more, or one less. */
  #changeVoter(): void {
    const leader = this.#anyLeader();
    if (leader === undefined) return;
    const { voters, learners } = leader.raft.configuration;
    const changed = this.#random.pick(this.#ids);
    const others = voters.filter((id) => id !== changed);
    if (others.length === 0) return;
    this.#proposeMembers(leader, {
      voters: others.length < voters.length ? others : [...voters, changed],
      votersOutgoing: [],
      learners: learners.filter((id) => id !== changed),
    });
  }

  #proposeMembers(leader: Host, target: Configuration): void {
    const result = leader.raft.proposeConfiguration(target);
    const { voters, learners } = target;
    this.#count("members");
    this.#tell(leader.id, `voters ${voters.join()} learners ${learners.join()}: ${JSON.stringify(result)}`);
  }

  #transfer(): void {
    this.#anyLeader()?.raft.transferLeadership(this.#random.pick(this.#ids));
  }

  #reportUnreachable(): void {
    this.#anyHost()?.raft.reportUnreachable(this.#random.pick(this.#ids));
  }

  /** Everything works again: a leader is found, what it proposes is applied by every member. */
  #heal(): void {
    for (const id of this.#ids) if (this.#down.has(id)) this.#restartHost(id);
    this.#post.heal();
    const ticks = this.#hasPreVote ? HEAL_TICKS : HEAL_TICKS_DISTURBED;
    for (let round = 0; round < ticks; round += 1) {
      if (this.#isAgreed()) return;
      if (round % 40 === 20) this.#anyLeader()?.raft.propose(latin1ToBytes("last"));
      for (const host of this.#served()) host.raft.tick();
      this.#exchange();
    }
    const seen = [...this.#hosts.values()].map(({ raft }) => raft.status());
    throw new Violation("liveness", `no agreement: ${JSON.stringify(seen)}`);
  }

  /**
   * Once there is a leader, its members: a replica that was removed and does not know it is stopped sooner or
   * later. Until then, without pre-vote and check-quorum, it may disturb the others for long (§4.2.3).
   */
  #served(): Host[] {
    const leader = this.#anyLeader();
    const hosts = [...this.#hosts.values()];
    if (leader === undefined) return hosts;
    const { voters, votersOutgoing, learners } = leader.raft.configuration;
    const members = new Set([leader.id, ...voters, ...votersOutgoing, ...learners]);
    return hosts.filter((host) => members.has(host.id));
  }

  /** Until nobody has anything more to say or to write. */
  #exchange(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const host of this.#hosts.values()) {
        host.turn();
        host.finishDisk();
        this.invariants.check(host);
      }
      for (const message of this.#post.takeAll()) {
        isQuiet = false;
        this.#receive(message);
      }
    }
  }

  #isAgreed(): boolean {
    const leader = this.#anyLeader();
    if (leader === undefined || !leader.raft.canServe || leader.applied.at(-1)?.text !== "last") return false;
    const { voters, votersOutgoing, learners } = leader.raft.configuration;
    const members = [...voters, ...votersOutgoing, ...learners].map((id) => this.#hosts.get(id)!);
    return votersOutgoing.length === 0 && members.every((host) => host.lastApplied === leader.lastApplied);
  }
}
