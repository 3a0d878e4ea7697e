/**
 * A running node: everything that decides, wired to the ports that it was given. The same code runs in a
 * server, in a user's program and in the simulator.
 */
import type { Message } from "../codec/raft-types.js";
import { ScanCursors } from "../commands/scan-cursor.js";
import { COMMANDS } from "../commands/table.js";
import type { Args, CommandSpec } from "../commands/types.js";
import type { Bytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import {
  type GroupId,
  incarnationOf,
  keyspaceOf,
  type LogIndex,
  META_GROUP,
  memberNumberOf,
  type NodeId,
  type ReplicaId,
  replicaOf,
} from "../core/ids.js";
import type { CancelTimer } from "../ports/clock.js";
import type { Greeting } from "../ports/transport.js";
import { Acquaintances } from "./acquaintances.js";
import { Checkpoints } from "./checkpoints.js";
import { MAP_CHANGE } from "./cluster-map.js";
import { ClusterView, parseNote, type Report } from "./cluster-view.js";
import { CommandDispatch } from "./command-dispatch.js";
import { Coordinator, type Route } from "./coordinator.js";
import type { ClusterStatus, Database, KeyspaceInfo, ReplySink, RequestContext } from "./database.js";
import { EventualNode } from "./eventual/eventual-node.js";
import { readSpecOf } from "./field-command.js";
import { FirstElections } from "./first-elections.js";
import { Formation } from "./formation.js";
import { newClusterId } from "./forming.js";
import { Groups } from "./groups.js";
import type { Identity } from "./identity.js";
import { GroupKeeper } from "./keeper.js";
import { Keyspaces } from "./keyspaces.js";
import { Membership } from "./membership.js";
import { NODE_COMMANDS, type NodeCommandSpec } from "./node-commands.js";
import { foundingMapOf, type NodeOptions, type NodeParts } from "./node-options.js";
import type { AppliedBatch } from "./partition-machine.js";
import { decodeFrame, encodeNoteFrame } from "./peer-frames.js";
import { Readmission } from "./readmission.js";
import { nodeStopping } from "./refusal.js";
import type { ReplicaGroup } from "./replica-group.js";
import { Requests } from "./requests.js";
import { Router } from "./router.js";
import { isReady, keyspaceInfo, mapInfos, type StatusSource } from "./status.js";
import {
  AbandonedTransactions,
  Expiry,
  handOverLeadership,
  Members,
  spreadLeaders,
  trimLogs,
} from "./upkeep.js";
import { within } from "./within.js";

const TICK_MS = 50;
const RAFT = {
  electionTicks: 12,
  heartbeatTicks: 2,
  inflightMessagesMax: 64,
  appendBytesMax: 4 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  preVote: true,
  checkQuorum: true,
} as const;
const SWEEP_MS = 50;
const REPORT_MS = 500;
const REPORT_SOON_MS = 10;
const SPREAD_MS = 1_000;
/** Leaders are not moved so soon after a node came up. */
const SETTLED_AFTER_MS = 2_000;
const HAND_OVER_MS = 1_000;
/** Of each partition, for replicas that are away. */
const HINTS_MAX = 100_000;

export class MinikeyNode implements Database {
  readonly #options: NodeOptions;
  readonly #parts: NodeParts;
  readonly #self: NodeId;
  readonly #formation: Formation;
  readonly #acquaintances: Acquaintances;
  readonly #view: ClusterView;
  readonly #groups: Groups;
  readonly #eventual: EventualNode;
  readonly #requests: Requests;
  readonly #coordinator: Coordinator;
  readonly #dispatch: CommandDispatch;
  readonly #router = new Router();
  readonly #membership: Membership;
  readonly #keyspaces: Keyspaces;
  readonly #readmission: Readmission;
  readonly #checkpoints: Checkpoints;
  readonly #expiry: Expiry;
  readonly #firstElections: FirstElections;
  readonly #members: Members;
  readonly #abandoned: AbandonedTransactions;
  readonly #nodeCommands = new Map<number, NodeCommandSpec>();
  readonly #startedMs: number;
  readonly #timers: CancelTimer[] = [];
  readonly #upSinceMs = new Map<NodeId, number>();
  /** The groups are open: there is something to make durable at the end. */
  #isOpen = false;
  #isTurnScheduled = false;
  #isReportDue = false;
  #starting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  #state: "starting" | "running" | "stopping" | "stopped" = "starting";

  constructor(identity: Identity, options: NodeOptions, parts: NodeParts) {
    this.#options = options;
    this.#parts = parts;
    this.#self = identity.nodeId;
    const { clock, random, disk, logger, transport, log } = parts;
    for (const spec of [...NODE_COMMANDS, MAP_CHANGE]) this.#nodeCommands.set(spec.opcode, spec);
    this.#startedMs = clock.monotonicMs();
    const founders = options.founders.map((founder) => founder.id);
    this.#formation = new Formation(
      {
        identity,
        founders,
        address: options.peerAddress,
        freshClusterId: newClusterId(random, founders),
      },
      { clock, disk, transport, logger },
    );
    this.#acquaintances = new Acquaintances({
      clock,
      logger,
      identity: () => this.#formation.identity,
      onFatal: parts.onFatal,
    });
    this.#view = new ClusterView(clock);
    this.#groups = new Groups(log, logger, clock, transport, {
      onApplied: (group, batch, index) => this.#onApplied(group, batch, index),
      onProgress: (group) => this.#requests.onProgress(group),
      onRoleChange: (group) => this.#onRoleChange(group),
      onInstalled: (group) => this.#onInstalled(group),
      onDiskFailure: (error) => parts.onFatal(error),
      scheduleTurn: () => this.#scheduleTurn(),
      nodeOfMember: (number) => this.#membership.nodeOfMember(number),
    });
    this.#eventual = new EventualNode({
      ...parts,
      self: this.#self,
      requestTimeoutMs: options.requestTimeoutMs,
      hintsMax: options.hintsMax ?? HINTS_MAX,
      members: () => this.#membership.map.members.length,
      holdersOf: (group) => this.#membership.holdersOf(group),
      replicasOf: (group) => this.#membership.wantedReplicas(group) ?? [],
      retiredOf: (group) => this.#membership.retiredReplicas(group),
      epoch: () => this.#membership.map.epoch,
      nodeOf: (replica) => this.#membership.nodeOfMember(memberNumberOf(replica)),
      routeOf: (group) => this.#eventualRoute(group),
      storageLag: () => this.#checkpoints.lag,
      scheduleTurn: () => this.#scheduleTurn(),
    });
    this.#requests = new Requests({
      self: this.#self,
      clock,
      random,
      transport,
      requestTimeoutMs: options.requestTimeoutMs,
      valueBytesMax: options.valueBytesMax,
      replica: (group) => this.#groups.get(group),
      replicas: () => this.#groups.all(),
      leaderOf: (group) => this.#leaderOf(group),
      holdersOf: (group) => this.#membership.holdersOf(group),
      nodeOf: (replica) => this.#membership.nodeOfMember(memberNumberOf(replica)),
      exists: (group) => group === META_GROUP || this.#router.keyspaceById(keyspaceOf(group)) !== undefined,
      writeSpecOf: (opcode) => this.#logged(opcode),
      storageLag: () => this.#checkpoints.lag,
      specOf: readSpecOf,
      scheduleTurn: () => this.#scheduleTurn(),
    });
    this.#membership = new Membership({
      self: this.#self,
      peerAddress: options.peerAddress,
      founding: foundingMapOf(options),
      clock,
      logger,
      transport,
      groups: this.#groups,
      requests: this.#requests,
      router: this.#router,
      onRemoved: (group) => this.#view.forget(group),
      onFatal: parts.onFatal,
    });
    this.#keyspaces = new Keyspaces({
      ...options,
      self: this.#self,
      clock,
      membership: this.#membership,
      router: this.#router,
      isOpen: (group) =>
        this.#groups.get(group) !== undefined || this.#eventual.replicas.get(group) !== undefined,
    });
    this.#readmission = new Readmission(this.#membership, this.#view, transport, logger);
    this.#coordinator = new Coordinator(this.#requests, clock, random, new ScanCursors(), this.#self);
    this.#dispatch = new CommandDispatch({
      self: this.#self,
      limits: options,
      router: this.#router,
      membership: this.#membership,
      requests: this.#requests,
      coordinator: this.#coordinator,
      eventual: this.#eventual.commands,
      transport,
      isStopping: () => this.#isStopping,
    });
    this.#checkpoints = new Checkpoints(
      {
        ...parts,
        groups: this.#groups,
        eventual: this.#eventual.replicas,
        onFailure: (error) => parts.onFatal(error),
      },
      options.unsavedBytesMax,
    );
    this.#expiry = new Expiry(this.#groups, this.#requests, clock);
    this.#firstElections = new FirstElections(this.#groups, clock, (id) => this.#isReplicaUp(id));
    this.#members = new Members(this.#groups, logger);
    this.#abandoned = new AbandonedTransactions(this.#groups, this.#coordinator.transactions, clock, logger);
  }

  // --- Life ---

  /** Resolves once the node is a member of its cluster and its groups are open; not yet that they have leaders. */
  async start(): Promise<void> {
    this.#starting = this.#startUp();
    await this.#starting;
  }

  async #startUp(): Promise<void> {
    const { transport } = this.#parts;
    await transport.start({
      onFrame: (from, frame) => this.#onFrame(from, frame),
      onGreeting: (greeting) => this.#onGreeting(greeting),
      onUp: (peer) => this.#onUp(peer),
      onDown: (peer) => this.#onDown(peer),
    });
    const peers = this.#options.founders.filter((founder) => founder.id !== this.#self);
    transport.setPeers(new Map(peers.map((peer) => [peer.id, peer.address])));
    const identity = await this.#formation.run();
    await this.#openGroups(identity);
    if (this.#isStopping) throw nodeStopping();
    this.#every(TICK_MS, () => this.#groups.tick());
    this.#every(SWEEP_MS, () => this.#sweep());
    this.#every(REPORT_MS, () => this.#report());
    this.#every(SPREAD_MS, () => this.#spread());
    this.#state = "running";
  }

  /** Where clients reach this node; told to the cluster. */
  announce(respAddress: string, httpAddress: string): void {
    this.#membership.announce(respAddress, httpAddress);
  }

  /** Hands leadership over, answers what is under way, makes everything durable, closes. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    await this.#stopped;
  }

  async #shutDown(): Promise<void> {
    this.#state = "stopping";
    this.#formation.stop();
    // Whoever started the node is told why that failed.
    await this.#starting?.catch(() => undefined);
    const { clock, logger, transport, log, diskEngine, memoryEngine } = this.#parts;
    const giveUpMs = clock.monotonicMs() + HAND_OVER_MS;
    const isUp = (replica: ReplicaId) => this.#isReplicaUp(replica);
    const countLed = () => [...this.#groups.all()].filter((group) => group.isLeader).length;
    const ledBefore = countLed();
    const isBusy = () =>
      handOverLeadership(this.#groups, isUp) > 0 ||
      !this.#requests.isIdle ||
      this.#eventual.commands.pending > 0;
    while (isBusy() && clock.monotonicMs() < giveUpMs) await this.#after(20);
    const led = countLed();
    logger.info("stopping", { handedOver: ledBefore - led, led });
    for (const cancel of this.#timers) cancel();
    this.#requests.close();
    this.#eventual.stop();
    // Nothing that they ask for is taken any more: they end with their next step.
    while (
      !(this.#coordinator.isIdle && this.#eventual.isIdle) &&
      clock.monotonicMs() < giveUpMs + HAND_OVER_MS
    )
      await this.#after(1);
    // Removing what was dropped writes to the log, which is closed below.
    await within(clock, HAND_OVER_MS, this.#membership.stop());
    if (this.#isOpen) await this.#checkpoints.now();
    this.#state = "stopped";
    await transport.stop();
    await log.close();
    for (const group of this.#groups.all()) await group.close();
    await this.#eventual.close();
    await diskEngine.close();
    await memoryEngine.close();
  }

  get #isStopping(): boolean {
    return this.#state === "stopping" || this.#state === "stopped";
  }

  async #openGroups(identity: Identity): Promise<void> {
    const { recovery, random } = this.#parts;
    const keeper = new GroupKeeper(
      {
        ...this.#parts,
        self: replicaOf(identity.memberNumber, identity.incarnation),
        raft: { ...RAFT, readMode: this.#options.readMode, random: () => random.unit() },
        recovered: recovery.groups,
        lookup: (opcode) => this.#logged(opcode),
      },
      this.#groups,
      this.#eventual.replicas,
    );
    const founders = this.#options.founders.map((_, i) => replicaOf(i + 1, 1));
    await keeper.openMeta(founders, this.#options.valueBytesMax);
    this.#isOpen = true;
    await this.#membership.start(keeper, identity.incarnation);
  }

  /** The command that an entry of a log names: one of the table's, or the node's own. */
  #logged(opcode: number): CommandSpec | NodeCommandSpec | undefined {
    return this.#nodeCommands.get(opcode) ?? COMMANDS.byOpcode(opcode);
  }

  #every(periodMs: number, run: () => void): void {
    this.#timers.push(this.#parts.clock.every(periodMs, run));
  }

  async #after(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#parts.clock.after(delayMs, resolve);
    });
  }

  // --- The turn ---

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    this.#parts.clock.atTurnEnd(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnScheduled = false;
    if (this.#state === "stopped") return;
    this.#requests.flush();
    this.#eventual.flush();
    this.#groups.advance();
    this.#parts.transport.flush();
  }

  #sweep(): void {
    this.#requests.sweep();
    this.#expiry.run();
    this.#checkpoints.run();
    this.#abandoned.run();
    this.#firstElections.run();
    for (const group of this.#groups.all()) group.sweep();
    this.#eventual.sweep();
    trimLogs(this.#groups, this.#options.logBytesKept);
    if (this.#state !== "running") return;
    this.#members.run((group) => this.#membership.wantedReplicas(group.id));
    this.#membership.run();
  }

  // --- Commands ---

  get pendingRequests(): number {
    return this.#requests.pending + this.#eventual.commands.pending;
  }

  submit(args: Args, context: RequestContext, sink: ReplySink): void {
    this.#dispatch.submit(args, context, sink);
  }

  // --- Keyspaces and status ---

  /** As `status` says it, without the rest. */
  get isReady(): boolean {
    return this.#state === "running" && this.#membership.isAnnounced && isReady(this.#statusSource());
  }

  status(): ClusterStatus {
    const source = this.#statusSource();
    return {
      clusterId: this.#formation.identity.clusterId,
      nodeId: this.#self,
      epoch: this.#membership.map.epoch,
      version: this.#options.version,
      uptimeSeconds: Math.floor((this.#parts.clock.monotonicMs() - this.#startedMs) / 1000),
      ready: this.isReady,
      ...mapInfos(source),
    };
  }

  keyspaceByName(name: string): KeyspaceInfo | undefined {
    const keyspace = this.#router.keyspaceByName(name);
    return keyspace && keyspaceInfo(keyspace);
  }

  keyspaceById(id: number): KeyspaceInfo | undefined {
    const keyspace = this.#router.keyspaceById(id);
    return keyspace && keyspaceInfo(keyspace);
  }

  async createKeyspace(options: Parameters<Database["createKeyspace"]>[0]): Promise<KeyspaceInfo> {
    return await this.#keyspaces.create(options);
  }

  async dropKeyspace(name: string): Promise<void> {
    await this.#keyspaces.drop(name);
  }

  #statusSource(): StatusSource {
    return {
      self: this.#self,
      map: this.#membership.map,
      view: this.#view,
      groups: this.#groups,
      eventual: this.#eventual,
      leaderOf: (group) => this.#leaderOf(group),
    };
  }

  // --- Where things are ---

  #leaderOf(group: GroupId): NodeId | undefined {
    const core = this.#groups.get(group)?.core;
    if (core !== undefined && core.leader !== 0)
      return this.#membership.nodeOfMember(memberNumberOf(core.leader));
    return core === undefined ? this.#view.leaderOf(group) : undefined;
  }

  /** Of an eventual keyspace's partition. */
  #eventualRoute(group: GroupId): Route | undefined {
    const route = this.#router.routeOf(keyspaceOf(group));
    return route?.eventual === undefined ? undefined : route;
  }

  #isReplicaUp(replica: ReplicaId): boolean {
    const node = this.#membership.nodeOfMember(memberNumberOf(replica));
    return node !== undefined && this.#parts.transport.isUp(node);
  }

  // --- What groups report ---

  #onApplied(group: ReplicaGroup, batch: AppliedBatch, index: LogIndex): void {
    this.#requests.onApplied(group, batch, index);
    if (group.id === META_GROUP) this.#membership.onApplied();
  }

  #onRoleChange(group: ReplicaGroup): void {
    if (group.core.leader !== 0) this.#requests.onLeaderFound(group.id);
    if (group.isLeader) this.#reportSoon();
  }

  #onInstalled(group: ReplicaGroup): void {
    if (group.id === META_GROUP) this.#membership.onApplied();
  }

  // --- What peers say ---

  #onFrame(from: NodeId, bytes: Bytes): void {
    if (this.#state === "stopped") return;
    try {
      const frame = decodeFrame(bytes);
      if (frame.type === "note") this.#onNote(from, frame.text);
      else if (!this.#acquaintances.isOwn(from)) return;
      else if (frame.type === "raft") this.#onMessage(from, frame.group, frame.message);
      else if (frame.type === "request" || frame.type === "sync") this.#eventual.onFrame(from, frame);
      else this.#requests.onFrame(from, frame);
    } catch (error) {
      if (!(error instanceof MinikeyError)) throw error;
      this.#parts.logger.warn("a peer sent what cannot be understood", { from, error: error.message });
    }
  }

  #onMessage(from: NodeId, id: GroupId, message: Message): void {
    const group = this.#groups.get(id);
    // A message to another incarnation of this node is not for this one.
    if (group === undefined || message.to !== group.replica) return;
    const sender = this.#membership.member(memberNumberOf(message.from));
    // Nobody speaks for others.
    if (sender?.id !== from) return;
    if (incarnationOf(message.from) < sender.incarnation) this.#readmission.onReplaced(sender);
    else if (!this.#mustDrop(message)) group.step(message);
  }

  /**
   * What would only make the node fall further behind is lost on it, as on a node that is away. The leader's questions
   * what it lacks are, too: an answer would make the leader send all of that again.
   */
  #mustDrop(message: Message): boolean {
    return message.type === "append" && this.#checkpoints.lag === "far";
  }

  #onNote(from: NodeId, text: string): void {
    const note = parseNote(text);
    if (note === undefined) return;
    const isOwn = from === this.#self || this.#acquaintances.isOwn(from);
    if (note.kind === "rejoined") this.#formation.onRejoined(from, note);
    else if (note.kind === "rejoin-refused") this.#formation.onRefused(from, note);
    else if (note.kind === "rejoin") {
      if (this.#acquaintances.isReturning(from)) this.#readmission.onRejoin(from, note);
    } else if (!isOwn) return;
    else if (note.kind === "replaced") this.#membership.onReplaced(note.incarnation);
    else this.#onReport(from, note);
  }

  #onReport(from: NodeId, report: Report): void {
    if (from !== this.#self && report.wallMs !== undefined) this.#eventual.onTime(from, report.wallMs);
    for (const group of this.#view.onReport(from, report)) {
      // A replica here would have heard of it from its group.
      if (this.#groups.get(group) === undefined) this.#requests.onLeaderFound(group);
    }
  }

  #onGreeting(greeting: Greeting): void {
    if (this.#acquaintances.onGreeting(greeting)) this.#formation.onGreeting(greeting);
    else this.#formation.onDown(greeting.nodeId);
  }

  #onUp(peer: NodeId): void {
    this.#upSinceMs.set(peer, this.#parts.clock.monotonicMs());
    this.#view.onHeard(peer);
    this.#requests.onPeerUp(peer);
    this.#eventual.onUp(peer);
    this.#reportSoon();
  }

  #onDown(peer: NodeId): void {
    this.#upSinceMs.delete(peer);
    this.#acquaintances.onDown(peer);
    this.#eventual.onDown(peer);
    this.#formation.onDown(peer);
    const replica = this.#membership.replicaOn(peer);
    if (replica === undefined) return;
    for (const group of this.#groups.all()) group.reportUnreachable(replica);
  }

  // --- From time to time ---

  /** Whoever has no replica of a group with a new leader, and whoever has just started, waits to hear of it. */
  #reportSoon(): void {
    if (this.#isReportDue) return;
    this.#isReportDue = true;
    this.#parts.clock.after(REPORT_SOON_MS, () => {
      this.#isReportDue = false;
      if (!this.#isStopping) this.#report();
    });
  }

  #report(): void {
    const report = this.#view.report(this.#groups);
    this.#onNote(this.#self, report);
    for (const member of this.#membership.map.members) {
      if (member.id !== this.#self) {
        this.#parts.transport.send(member.id, encodeNoteFrame(report));
      }
    }
  }

  #spread(): void {
    if (this.#state !== "running") return;
    const nowMs = this.#parts.clock.monotonicMs();
    const settled = [...this.#upSinceMs].filter(([, upMs]) => nowMs - upMs > SETTLED_AFTER_MS);
    const available = new Set([this.#self, ...settled.map(([node]) => node)]);
    for (const keyspace of this.#membership.map.keyspaces) {
      if (keyspace.consistency === "eventual") continue;
      spreadLeaders({
        self: this.#self,
        groups: this.#groups,
        keyspace,
        leaderOf: (group) => this.#leaderOf(group),
        available,
        replicaOn: (node) => this.#membership.replicaOn(node),
      });
    }
  }
}
