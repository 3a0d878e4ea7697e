/**
 * How the commands of eventual keyspaces are carried out (docs/adr/0014): on a replica of this node where there is one
 * that may answer, else on another's; at the levels chosen; each key by itself, so that nothing is promised of several
 * at one moment.
 *
 * Each command is answered exactly once: by a replica, by whatever waits for others (`forwarded.ts`, `level-write.ts`,
 * `level-read.ts`), or when the node ends. One key at level `one` on this node's replica is what nearly every command
 * is about: it makes no promise, and no object beside the one that its answer is told to.
 */
import { type FanOut, fanOut } from "../../commands/fan-out.js";
import { keyIndexes, planQuery, splitByPartition } from "../../commands/plan.js";
import { OK, type Reply } from "../../commands/reply.js";
import { runCommand } from "../../commands/run.js";
import type { ScanCursors } from "../../commands/scan-cursor.js";
import { COMMANDS } from "../../commands/table.js";
import { type Args, type CommandSpec, copyArgs, type QueryPlan } from "../../commands/types.js";
import { assert } from "../../core/assert.js";
import type { Bytes, Key } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import type { GroupId, NodeId } from "../../core/ids.js";
import { asReply, type Done, gatherAll, groupIn, inOrder, type Route, sumOf } from "../coordinator.js";
import type { ReplySink, RequestContext } from "../database.js";
import { innerArgs, ONCE } from "../node-commands.js";
import { type EntryHere, groupOfKey, lookThrough, NOT_HERE } from "../own-reads.js";
import { OwnRead, OwnTurn } from "../own-turn.js";
import { answer } from "../pending.js";
import { retainReply } from "../retain-reply.js";
import { ForwardedCommand } from "./forwarded.js";
import { encodeRun, readKind, readRun } from "./frames.js";
import { KeysView } from "./key-views.js";
import { LevelRead, type LevelReading, type Records, RepairCounts } from "./level-read.js";
import { LevelWrite } from "./level-write.js";
import { type EventualLevel, type EventualLevels, noLevelForScans, noSuchLevel } from "./levels.js";
import { OnceMemory } from "./once-memory.js";
import type { EventualHost } from "./parts.js";
import { Patience } from "./patience.js";
import { PeerRequests } from "./peer-requests.js";
import { ServedRequests } from "./served.js";
import { entryOf } from "./view.js";

/** Commands waiting for disks or other nodes at most. */
const OPEN_MAX = 65_536;
/** Left of a request's time when it is given up, so that its client hears of it. */
const MARGIN_MS = 300;

export class EventualCoordinator {
  /** Found and put right by reads. */
  readonly repairs = new RepairCounts();
  readonly #host: EventualHost;
  readonly #cursors: ScanCursors;
  readonly #requests: PeerRequests;
  readonly #patience: Patience;
  readonly #served: ServedRequests;
  readonly #once = new OnceMemory();
  /** Commands not answered yet, those of other nodes included. */
  #open = 0;

  constructor(host: EventualHost, cursors: ScanCursors) {
    this.#host = host;
    this.#cursors = cursors;
    this.#requests = new PeerRequests(host);
    this.#patience = new Patience(host.clock);
    this.#served = new ServedRequests(host, this.#requests, (group, spec, args, level, deadlineMs, done) =>
      this.#writeHere(group, spec, args, level, deadlineMs, done),
    );
  }

  /** Commands not answered yet. */
  get pending(): number {
    return this.#open;
  }

  /** Why the command is refused before anything is asked of anybody. */
  refusalOf(spec: CommandSpec, route: Route): MinikeyError | undefined {
    const { read } = levelsOf(route);
    if (spec.access !== "read") return undefined;
    if (read === "linearizable") return noSuchLevel(route.keyspace.name);
    const isAboutKeys = spec.keys.first !== 0 || spec.spread === "query";
    return isAboutKeys || read === "one" ? undefined : noLevelForScans(spec.name, read);
  }

  /**
   * Carries out a command that is not refused; `partition`: that of all its keys, −1 when there are several or none.
   * `args` may be reused as soon as this returns.
   */
  start(
    spec: CommandSpec,
    args: Args,
    partition: number,
    route: Route,
    context: RequestContext,
    sink: ReplySink,
  ): void {
    if (partition === -1) {
      this.#startWide(spec, args, route, context, sink);
      return;
    }
    const group = groupIn(route.keyspace, partition);
    const { read, write } = levelsOf(route);
    if (spec.access === "read") {
      const replica = read === "one" ? this.#host.replica(group) : undefined;
      if (replica?.isComplete === true) {
        answer(sink, context, runCommand(spec, replica.viewAt(this.#host.nowMs()), args));
      } else {
        this.#readElsewhere(spec, args, group, route, (reply) => answer(sink, context, reply));
      }
    } else if (spec.opcode === ONCE.opcode) {
      this.#writeOnce(args, group, write, (reply) => answer(sink, context, reply));
    } else {
      this.#startWrite(spec, args, group, write, context, sink);
    }
  }

  #startWrite(
    spec: CommandSpec,
    args: Args,
    group: GroupId,
    level: EventualLevel,
    context: RequestContext,
    sink: ReplySink,
  ): void {
    const replica = level === "one" ? this.#host.replica(group) : undefined;
    const isHere = replica?.isComplete === true && !this.#patience.isWaiting(group);
    if (!isHere || this.#open >= OPEN_MAX) {
      this.#write(spec, args, group, level, (reply) => answer(sink, context, reply));
      return;
    }
    this.#open += 1;
    replica.write(spec, args, (reply) => {
      this.#open -= 1;
      answer(sink, context, reply);
    });
  }

  /** From time to time. */
  sweep(): void {
    this.#requests.sweep();
  }

  /** What another node asks or answers. Throws `MinikeyError` for what it cannot mean. */
  onFrame(from: NodeId, group: GroupId, body: Bytes): void {
    this.#served.onFrame(from, group, body);
  }

  onPeerDown(node: NodeId): void {
    this.#requests.onDown(node);
  }

  /** The node stops: what waits for others is answered, and nothing is asked of them any more. */
  close(): void {
    this.#patience.close();
    this.#requests.close();
  }

  // --- One partition ---

  /** The command is about one partition; `done` is told its answer, once. */
  #ask(spec: CommandSpec, args: Args, group: GroupId, route: Route, done: Done): void {
    if (spec.access === "write") {
      this.#write(spec, args, group, levelsOf(route).write, done);
      return;
    }
    const replica = this.#host.replica(group);
    if (replica?.isComplete === true) done(runCommand(spec, replica.viewAt(this.#host.nowMs()), args));
    else this.#forward(spec, args, group, "one", done);
  }

  #write(spec: CommandSpec, args: Args, group: GroupId, level: EventualLevel, done: Done): void {
    if (this.#host.replica(group)?.isComplete === true) {
      this.#writeHere(group, spec, args, level, this.#deadlineMs(), done);
    } else {
      this.#forward(spec, args, group, level, done);
    }
  }

  #writeHere(
    group: GroupId,
    spec: CommandSpec,
    args: Args,
    level: EventualLevel,
    deadlineMs: number,
    done: Done,
  ): void {
    if (this.#open >= OPEN_MAX) {
      done(tooManyWait());
      return;
    }
    this.#open += 1;
    const replica = this.#host.replica(group);
    if (level === "one" && replica?.isComplete === true && !this.#patience.isWaiting(group)) {
      replica.write(spec, args, (reply) => {
        this.#open -= 1;
        done(reply);
      });
      return;
    }
    const parts = { host: this.#host, patience: this.#patience };
    const onDone: Done = (reply) => {
      this.#open -= 1;
      done(reply);
    };
    new LevelWrite(parts, group, level, deadlineMs, onDone).start(spec, args);
  }

  /** `ONCE session number command …` */
  #writeOnce(args: Args, group: GroupId, level: EventualLevel, done: Done): void {
    const first = this.#once.begin(group, args.key(1), args.key(2), done);
    if (first === undefined) return;
    const inner = innerArgs(args);
    const spec = COMMANDS.lookup(inner.bytes, inner.start(0), inner.end(0));
    assert(spec !== undefined, "what is inside ONCE was checked");
    this.#write(spec, inner, group, level, first);
  }

  #forward(spec: CommandSpec, args: Args, group: GroupId, level: EventualLevel, done: Done): void {
    if (this.#open >= OPEN_MAX) {
      done(tooManyWait());
      return;
    }
    this.#open += 1;
    const parts = { host: this.#host, requests: this.#requests, patience: this.#patience };
    const deadlineMs = this.#deadlineMs();
    const onDone: Done = (reply) => {
      this.#open -= 1;
      done(reply);
    };
    const command = new ForwardedCommand(parts, {
      group,
      isWrite: spec.access === "write",
      level,
      run: encodeRun(level, spec.opcode, args),
      deadlineMs,
      done: onDone,
      runHere: (run) => {
        const { args: kept } = readRun(readKind(run).reader);
        if (spec.access === "write") this.#writeHere(group, spec, kept, level, deadlineMs, onDone);
        else onDone(this.#readHere(group, spec, kept));
      },
    });
    command.ask();
  }

  #readHere(group: GroupId, spec: CommandSpec, args: Args): Reply {
    const replica = this.#host.replica(group);
    assert(replica?.isComplete === true, "group % has a replica here", group);
    return runCommand(spec, replica.viewAt(this.#host.nowMs()), args);
  }

  #deadlineMs(): number {
    return this.#host.clock.monotonicMs() + Math.max(this.#host.requestTimeoutMs - MARGIN_MS, 0);
  }

  // --- Reads of several replicas, or of none here ---

  #readElsewhere(spec: CommandSpec, args: Args, group: GroupId, route: Route, done: Done): void {
    if (levelsOf(route).read === "one") this.#forward(spec, args, group, "one", done);
    else this.#readAtLevel(spec, copyArgs(args), route, done);
  }

  /** `args` stay as they are until `done` is called. */
  #readAtLevel(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    const keys = new Set(keyIndexes(spec, args).map((i) => args.key(i)));
    this.#readRecords([...keys], route, (records) => {
      if (records instanceof MinikeyError) done(records);
      else done(runCommand(spec, this.#viewOf(records), args));
    });
  }

  #readRecords(keys: readonly Key[], route: Route, done: LevelReading["done"]): void {
    const { read } = levelsOf(route);
    assert(read !== "linearizable", "there are no such reads here");
    if (this.#open >= OPEN_MAX) {
      done(tooManyWait());
      return;
    }
    this.#open += 1;
    const parts = {
      host: this.#host,
      requests: this.#requests,
      patience: this.#patience,
      repairs: this.repairs,
    };
    new LevelRead(parts, {
      keys,
      route,
      level: read,
      deadlineMs: this.#deadlineMs(),
      done: (records) => {
        this.#open -= 1;
        done(records);
      },
    }).start();
  }

  #viewOf(records: Records): KeysView {
    const nowMs = this.#host.nowMs();
    return new KeysView(nowMs, (key) => {
      const record = records.get(key);
      return record && entryOf(record, nowMs);
    });
  }

  /** What this node's replicas have of a key. */
  #entryHere(key: Key, route: Route, nowMs: number): EntryHere {
    const replica = this.#host.replica(groupOfKey(key, route));
    return replica?.isComplete === true ? replica.viewAt(nowMs).get(key) : NOT_HERE;
  }

  // --- Several partitions ---

  #startWide(spec: CommandSpec, args: Args, route: Route, context: RequestContext, sink: ReplySink): void {
    if (spec.spread === "query") {
      this.#query(spec, args, route, (reply) => answer(sink, context, reply));
      return;
    }
    const kept = copyArgs(args);
    const keptBytes = kept.bytesUsed;
    context.order?.keep(keptBytes);
    const done: Done = (reply) => {
      context.order?.letGo(keptBytes);
      answer(sink, context, reply);
    };
    switch (spec.spread) {
      case "sum":
      case "gather":
      case "transaction":
        if (spec.access === "read" && levelsOf(route).read !== "one")
          this.#readAtLevel(spec, kept, route, done);
        else this.#split(spec, kept, route, done);
        break;
      case "all-sum":
        this.#sumOfAll(spec, kept, route, done);
        break;
      case "all":
        this.#drive(spec, kept, route, done);
        break;
      case "single":
      case "local":
        assert(false, "% is not about several partitions", spec.name);
    }
  }

  #split(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    const shares = splitByPartition(spec, args, route.partitionOf);
    const finish = gatherAll(shares.length, (replies) => {
      if (spec.spread === "sum") done(sumOf(replies, spec.access));
      else done(spec.spread === "gather" ? inOrder(shares, replies) : eachDone(replies));
    });
    shares.forEach((share, i) => {
      const group = groupIn(route.keyspace, share.partition);
      this.#ask(spec, share.args, group, route, (reply) => finish(i, retainReply(reply)));
    });
  }

  #sumOfAll(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    const { partitions } = route.keyspace;
    const finish = gatherAll(partitions, (replies) => done(sumOf(replies, spec.access)));
    for (let i = 0; i < partitions; i += 1) {
      this.#ask(spec, args, groupIn(route.keyspace, i), route, (reply) => finish(i, reply));
    }
  }

  /** `args` may be reused as soon as this returns. */
  #query(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    const turn = new OwnTurn(args.bytesUsed);
    let plan: QueryPlan;
    try {
      plan = planQuery(spec, args, turn.paths);
    } catch (error) {
      done(asReply(error));
      return;
    }
    const read = new OwnRead(turn, 0, route, NOBODY);
    const finish = (entryHere: (key: Key) => EntryHere): boolean => {
      const results = lookThrough(read, entryHere);
      if (results === undefined) return false;
      done(results instanceof MinikeyError ? results : answerOf(plan, results, read));
      return true;
    };
    const nowMs = this.#host.nowMs();
    if (levelsOf(route).read === "one" && finish((key) => this.#entryHere(key, route, nowMs))) return;
    const keys = new Set<Key>();
    for (const path of read.allMeanings()) for (let i = 0; i < path.count; i += 1) keys.add(path.keyAt(i));
    this.#readRecords([...keys], route, (records) => {
      if (records instanceof MinikeyError) {
        done(records);
        return;
      }
      const view = this.#viewOf(records);
      finish((key) => view.get(key));
    });
  }

  #drive(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    let dialogue: FanOut;
    try {
      dialogue = fanOut(spec, args, {
        partitions: route.keyspace.partitions,
        cursors: this.#cursors,
        random: () => this.#host.random.unit(),
        isEventual: true,
      });
    } catch (error) {
      done(asReply(error));
      return;
    }
    const go = (answers: readonly Reply[]) => {
      const step = dialogue.next(answers);
      if (step.kind === "done") {
        done(step.reply);
        return;
      }
      const finish = gatherAll(step.questions.length, go);
      step.questions.forEach((question, i) => {
        const { args: words, partition } = question;
        const piece = COMMANDS.lookup(words.bytes, words.start(0), words.end(0));
        assert(piece !== undefined, "a piece of a command is in the table");
        const group = groupIn(route.keyspace, partition);
        this.#ask(piece, words, group, route, (reply) => finish(i, retainReply(reply)));
      });
    };
    go([]);
  }
}

/** For paths that are looked through at once. */
const NOBODY = { onResolved: (): void => undefined };

function levelsOf(route: Route): EventualLevels {
  const { eventual } = route;
  assert(eventual !== undefined, "the keyspace % is eventual", route.keyspace.name);
  return eventual;
}

function answerOf(plan: QueryPlan, results: Parameters<QueryPlan["answer"]>[0], read: OwnRead): Reply {
  try {
    return plan.answer(results, read);
  } catch (error) {
    return asReply(error);
  }
}

/** Of a command that each partition has carried out for its keys. */
function eachDone(replies: readonly Reply[]): Reply {
  const errors = replies.filter((reply) => reply instanceof MinikeyError);
  if (errors.length === 0) return replies.find((reply) => reply !== OK) ?? OK;
  const [error] = errors;
  const isUnknown = errors.some(({ outcome }) => outcome === "unknown");
  if (errors.length === replies.length && !isUnknown) return error;
  return new MinikeyError("OUTCOME_UNKNOWN", `not all keys could be written: ${error.message}`);
}

const tooManyWait = (): MinikeyError =>
  new MinikeyError("OVERLOADED", "too many commands are waiting for other replicas or the disk");
