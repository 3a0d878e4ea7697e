/**
 * Plays a scenario: commands of text in, what happens out as text. The scenarios in test/scripts/raft read like
 * the paper's figures; their recorded output is what the core did when someone last looked at it.
 *
 *   group 3 [spare=4,5] [election=10] [heartbeat=1] [window=4] [append-bytes=1000] [uncommitted-bytes=1000]
 *           [pre-vote=off] [check-quorum=off] [reads=lease] [disk=manual] [piece=100]
 *   replica 2 term=3 log=1,1,2 [commit=1]   begins with this log instead of an empty one
 *   campaign 1    tick 1 5    tick all 5    propose 1 x y    read 1 7    transfer 1 2    unreachable 1 2
 *   change 1 voters=1,2,4 [learners=5]      compact 1 3
 *   deliver [1->2] [append]    what is under way, once    settle    until nothing happens    lose [1->2] [append]
 *   run 5    a tick of everyone, then settle, so many times
 *   cut 1    cut 1->2    heal    crash 1    restart 1
 *   disk 3 manual    write 3    its oldest append becomes durable    piece 3    one snapshot piece is read or stored
 *   disk 3 instant    ignore 3    its host drops the snapshot read asked for last
 *   status    log
 *
 * A last word `quietly` leaves messages out of the output. Time-outs are not random: replica n waits n tenths
 * more than the shortest.
 */
import assert from "node:assert/strict";
import { Host, throughCodec } from "../../../sim/group/host.js";
import type { Configuration, Entry, Message } from "../../../src/codec/raft-types.js";
import { EMPTY_BYTES, latin1ToBytes } from "../../../src/core/bytes.js";
import { logIndex, type ReplicaId, replicaId, term } from "../../../src/core/ids.js";
import type { RaftOptions, RestoredState } from "../../../src/raft/types.js";
import { describeAppend, describeConfiguration, describeEntry, describeMessage } from "./script-text.js";

type Options = ReadonlyMap<string, string>;

const numbersIn = (text: string | undefined): number[] =>
  text === undefined || text === "" ? [] : text.split(",").map(Number);
const idsIn = (text: string | undefined): ReplicaId[] => numbersIn(text).map(replicaId);

export class Script {
  readonly #hosts = new Map<ReplicaId, Host>();
  readonly #down = new Set<ReplicaId>();
  readonly #cut = new Set<string>();
  #network: Message[] = [];
  #output: string[] = [];
  #isQuiet = false;
  #raftOptions: Omit<RaftOptions, "id" | "random"> | undefined;
  #pieceBytes = 100;
  #isDiskManual = false;
  #voters: readonly ReplicaId[] = [];

  /** Carries one command out; returns what happened, a line each. */
  run(command: string): string[] {
    const words = command.split(/\s+/);
    this.#isQuiet = words.at(-1) === "quietly";
    if (this.#isQuiet) words.pop();
    const [name, ...args] = words;
    this.#output = [];
    const named = args.filter((arg) => arg.includes("="));
    const options = new Map(named.map((arg) => arg.split("=") as [string, string]));
    try {
      this.#execute(name, args, options);
    } catch (error) {
      this.#output.push(`error: ${error instanceof Error ? error.message : String(error)}`);
    }
    for (const host of this.#hosts.values()) this.#turn(host);
    return this.#output.length === 0 ? ["ok"] : this.#output;
  }

  #execute(name: string, args: string[], options: Options): void {
    if (this.#executeOnNetwork(name, args) || this.#executeOnGroup(name, args, options)) return;
    const host = this.#host(args[0]);
    const { raft } = host;
    switch (name) {
      case "campaign":
        return raft.campaign();
      case "propose":
        for (const text of args.slice(1))
          this.#say(host.id, describeResult(raft.propose(latin1ToBytes(text))));
        return;
      case "read":
        return raft.readIndex(Number(args[1]));
      case "transfer":
        return raft.transferLeadership(replicaId(Number(args[1])));
      case "unreachable":
        return raft.reportUnreachable(replicaId(Number(args[1])));
      case "change":
        return this.#change(host, options);
      case "compact":
        return host.compact(Number(args[1]));
      case "crash":
        this.#down.add(host.id);
        return host.crash(0);
      case "restart":
        this.#down.delete(host.id);
        return host.restart();
      case "disk":
        host.options.isDiskInstant = args[1] === "instant";
        return host.finishDiskIfInstant();
      case "write":
        return host.writeNext();
      case "piece":
        return this.#movePiece(host);
      case "ignore":
        assert.ok(host.snapshotReads.pop() !== undefined, "no snapshot read to ignore");
        return;
      default:
        assert.fail(`unknown command ${name}`);
    }
  }

  #executeOnGroup(name: string, args: string[], options: Options): boolean {
    if (name === "group") this.#makeGroup(Number(args[0]), options);
    else if (name === "replica") this.#makeReplica(replicaId(Number(args[0])), options);
    else if (name === "tick") this.#tick(args);
    else if (name === "status") for (const host of this.#up()) this.#status(host);
    else if (name === "log") for (const host of this.#hosts.values()) this.#log(host);
    else return false;
    return true;
  }

  #executeOnNetwork(name: string, args: string[]): boolean {
    if (name === "deliver") this.#deliver(args);
    else if (name === "settle") this.#settle();
    else if (name === "run") this.#runFor(Number(args[0]));
    else if (name === "lose") this.#lose(args);
    else if (name === "heal") this.#cut.clear();
    else if (name === "cut") this.#cutLinks(args[0]);
    else return false;
    return true;
  }

  #makeGroup(size: number, options: Options): void {
    this.#hosts.clear();
    this.#down.clear();
    this.#cut.clear();
    this.#network = [];
    const number = (key: string, fallback: number): number => Number(options.get(key) ?? fallback);
    this.#raftOptions = {
      electionTicks: number("election", 10),
      heartbeatTicks: number("heartbeat", 1),
      inflightMessagesMax: number("window", 4),
      appendBytesMax: number("append-bytes", 1_000),
      uncommittedBytesMax: number("uncommitted-bytes", 1_000),
      readMode: options.get("reads") === "lease" ? "lease" : "quorum",
      preVote: options.get("pre-vote") !== "off",
      checkQuorum: options.get("check-quorum") !== "off",
    };
    this.#pieceBytes = number("piece", 100);
    this.#isDiskManual = options.get("disk") === "manual";
    this.#voters = Array.from({ length: size }, (_, i) => replicaId(i + 1));
    for (const id of this.#voters) this.#makeReplica(id, new Map());
    for (const id of idsIn(options.get("spare"))) this.#makeReplica(id, new Map());
  }

  #makeReplica(id: ReplicaId, options: Options): void {
    const raftOptions = this.#raftOptions;
    assert.ok(raftOptions !== undefined, "group comes first");
    const raft = { ...raftOptions, id, random: () => (id % 10) / 10 };
    const voters = this.#voters.includes(id) ? this.#voters : [];
    const host: Host = new Host(
      { raft, pieceBytes: this.#pieceBytes, isDiskInstant: !this.#isDiskManual },
      stateFrom(options, voters),
      {
        onMessage: (message) => this.#network.push(message),
        onReadState: ({ context, index }) =>
          this.#say(id, `read ${context} ${index === 0 ? "fails" : `at ${index}`}`),
        onApplied: ({ index, text }) => this.#sayApplied(id, text === "" ? `${index}` : `${index} ${text}`),
        onRole: ({ role, leader, term }) =>
          this.#say(id, `${role}${role === "follower" ? ` of ${leader || "nobody"}` : ""} in term ${term}`),
        onReady: ({ append }) => {
          if (append !== undefined && !host.options.isDiskInstant) this.#say(id, describeAppend(append));
        },
      },
    );
    this.#hosts.set(id, host);
  }

  #host(text: string): Host {
    const host = this.#hosts.get(replicaId(Number(text)));
    assert.ok(host !== undefined, `no replica ${text}`);
    return host;
  }

  #up(): Host[] {
    return [...this.#hosts.values()].filter(({ id }) => !this.#down.has(id));
  }

  #say(id: ReplicaId, text: string): void {
    this.#output.push(`${id}: ${text}`);
  }

  /** What one replica applies in a row is one line. */
  #sayApplied(id: ReplicaId, entry: string): void {
    const last = this.#output.length - 1;
    if (last >= 0 && this.#output[last].startsWith(`${id}: applies `)) this.#output[last] += `, ${entry}`;
    else this.#say(id, `applies ${entry}`);
  }

  #turn(host: Host): void {
    if (!this.#down.has(host.id)) host.turn();
  }

  #tick([who, times = "1"]: string[]): void {
    for (let i = 0; i < Number(times); i += 1) {
      for (const host of who === "all" ? this.#up() : [this.#host(who)]) host.raft.tick();
      for (const host of this.#hosts.values()) this.#turn(host);
    }
  }

  /** Messages that a filter such as `1->2 append` names leave the network. */
  #takeFromNetwork(filters: readonly string[]): Message[] {
    const isMeant = (message: Message): boolean =>
      filters.every((filter) => filter === message.type || filter === `${message.from}->${message.to}`);
    const taken = this.#network.filter(isMeant);
    this.#network = this.#network.filter((message) => !taken.includes(message));
    return taken;
  }

  #deliver(filters: readonly string[]): void {
    for (const message of this.#takeFromNetwork(filters)) {
      const isLost = this.#cut.has(`${message.from}->${message.to}`) || this.#down.has(message.to);
      if (!this.#isQuiet) this.#output.push(`${describeMessage(message)}${isLost ? " (lost)" : ""}`);
      if (isLost) continue;
      const host = this.#hosts.get(message.to)!;
      host.raft.step(throughCodec(message));
      this.#turn(host);
    }
  }

  #runFor(ticks: number): void {
    for (let i = 0; i < ticks; i += 1) {
      this.#tick(["all"]);
      this.#settle();
    }
  }

  #settle(): void {
    for (const host of this.#hosts.values()) this.#turn(host);
    while (this.#network.length > 0) this.#deliver([]);
  }

  #lose(filters: readonly string[]): void {
    for (const message of this.#takeFromNetwork(filters)) {
      if (!this.#isQuiet) this.#output.push(`${describeMessage(message)} (lost)`);
    }
  }

  #cutLinks(link: string): void {
    if (link.includes("->")) {
      this.#cut.add(link);
      return;
    }
    for (const { id } of this.#hosts.values()) this.#cut.add(`${link}->${id}`).add(`${id}->${link}`);
  }

  #change(host: Host, options: Options): void {
    const target = {
      voters: idsIn(options.get("voters")),
      votersOutgoing: [],
      learners: idsIn(options.get("learners")),
    };
    this.#say(host.id, describeResult(host.raft.proposeConfiguration(target)));
  }

  #movePiece(host: Host): void {
    const read = host.snapshotReads.shift();
    const write = host.snapshotWrites.shift();
    if (read !== undefined) {
      this.#say(host.id, `reads the snapshot for ${read.to} at ${read.offsetBytes}`);
      host.readPiece(read);
    }
    if (write !== undefined) {
      this.#say(
        host.id,
        `stores the snapshot of ${write.meta.index} at ${write.offsetBytes}${write.done ? ", done" : ""}`,
      );
      host.storePiece(write);
    }
  }

  #status(host: Host): void {
    const { role, term: current, leader, commit, applied, configuration, progress } = host.raft.status();
    const serves = host.raft.canServe ? ", serves" : "";
    this.#say(
      host.id,
      `${role} in term ${current}, leader ${leader || "unknown"}, commit ${commit}, applied ${applied}${serves}`,
    );
    this.#output.push(`   ${describeConfiguration(configuration)}`);
    for (const { id, match, next, state, recentlyActive } of progress) {
      this.#output.push(
        `   ${id}: ${state}, match ${match}, next ${next}${recentlyActive ? "" : ", silent"}`,
      );
    }
  }

  #log({ id, disk, raft }: Host): void {
    const entries = disk.entries.map(describeEntry).join(" ");
    const start = disk.start.index === 0 ? "" : `(after ${disk.start.index}/${disk.start.term}) `;
    const state = this.#down.has(id) ? "down" : `commit ${raft.commit}`;
    this.#say(id, `${start}${entries === "" ? "empty" : entries}, ${state}`);
  }
}

function describeResult(result: ReturnType<Host["raft"]["propose"]>): string {
  return result.ok ? `proposed ${result.index}/${result.term}` : `refused: ${result.reason}`;
}

function stateFrom(options: Options, voters: readonly ReplicaId[]): RestoredState {
  const configuration: Configuration = { voters, votersOutgoing: [], learners: [] };
  const terms = numbersIn(options.get("log"));
  const entries = terms.map(
    (value, i): Entry => ({ index: logIndex(i + 1), term: term(value), kind: "command", data: EMPTY_BYTES }),
  );
  return {
    hardState: {
      term: term(Number(options.get("term") ?? 0)),
      vote: replicaId(0),
      commit: logIndex(Number(options.get("commit") ?? 0)),
    },
    snapshot: { index: logIndex(0), term: term(0), configuration },
    entries,
    appliedIndex: logIndex(0),
  };
}
