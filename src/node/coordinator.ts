/**
 * Commands whose keys lie in several partitions: cut up, asked side by side, put together.
 *
 * `sum` commands (`DEL a b`) are carried out partition by partition, each key linearizably. `gather` and `query`
 * commands (`MGET`, `QUERY`) show one moment. `transaction` commands (`MSET`, `RENAME`) are done everywhere or
 * nowhere.
 */
import { type FanOut, fanOut } from "../commands/fan-out.js";
import { planQuery, planTransaction, type Share, splitByPartition } from "../commands/plan.js";
import { type Reply, Slice } from "../commands/reply.js";
import type { ScanCursors } from "../commands/scan-cursor.js";
import { COMMANDS } from "../commands/table.js";
import {
  type Args,
  type AskedPaths,
  type CommandSpec,
  type QueryPlan,
  type Resolved,
} from "../commands/types.js";
import { assert } from "../core/assert.js";
import type { Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type GroupId, groupOf, type NodeId, partitionId } from "../core/ids.js";
import { oneMeaning } from "../document/meanings.js";
import type { Clock } from "../ports/clock.js";
import type { Random } from "../ports/random.js";
import type { BatchLevel } from "./batch.js";
import type { Keyspace } from "./cluster-map.js";
import type { ReplySink, RequestContext } from "./database.js";
import type { EventualLevels } from "./eventual/levels.js";
import type { PathSink } from "./own-turn.js";
import type { ReadGuarantee } from "./partition-reader.js";
import { answer } from "./pending.js";
import type { Requests } from "./requests.js";
import { retainReply } from "./retain-reply.js";
import { type Entries, SnapshotReads } from "./snapshot-reads.js";
import { TransactionRunner } from "./transaction-runner.js";

/** A command on its way: where, and with which guarantees. */
export interface Route {
  readonly keyspace: Keyspace;
  readonly guarantee: ReadGuarantee;
  readonly level: BatchLevel;
  readonly partitionOf: (slot: number) => number;
  /** How many replicas are asked in an eventual keyspace; undefined in a strong one. */
  readonly eventual: EventualLevels | undefined;
}

export type Done = (reply: Reply) => void;

export class Coordinator {
  readonly #requests: Requests;
  readonly #random: Random;
  readonly #cursors: ScanCursors;
  readonly #reads: SnapshotReads;
  readonly transactions: TransactionRunner;
  /** Commands between two steps of a transaction or of a read under its lock. */
  #inSteps = 0;

  constructor(requests: Requests, clock: Clock, random: Random, cursors: ScanCursors, self: NodeId) {
    this.#requests = requests;
    this.#random = random;
    this.#cursors = cursors;
    this.transactions = new TransactionRunner(requests, clock, random, self);
    this.#reads = new SnapshotReads({
      requests,
      clock,
      readLocked: async (keys, route) => await this.#readLocked(keys, route),
    });
  }

  /** No command waits between two steps. */
  get isIdle(): boolean {
    return this.#inSteps === 0;
  }

  /** `args` must stay as they are until `done` is called. */
  run(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    switch (spec.spread) {
      case "sum":
        this.#sum(splitByPartition(spec, args, route.partitionOf), spec, route, done);
        break;
      case "gather":
        this.#gather(spec, args, route, done);
        break;
      case "transaction":
        this.#inSteps += 1;
        this.#transact(spec, args, route).then(
          (reply) => this.#onTransacted(reply, done),
          (error: unknown) => this.#onTransacted(asReply(error), done),
        );
        break;
      case "all-sum":
        this.#sumOfAll(spec, args, route, done);
        break;
      case "all":
        this.#drive(spec, args, route, done);
        break;
      case "query":
      case "single":
      case "local":
        assert(false, "% is not carried out here", spec.name);
    }
  }

  #onTransacted(reply: Reply, done: Done): void {
    this.#inSteps -= 1;
    done(reply);
  }

  #ask(spec: CommandSpec, partition: number, args: Args, route: Route, done: Done): void {
    const group = groupIn(route.keyspace, partition);
    const sink = { onReply: done };
    if (spec.access === "write") this.#requests.write(group, spec.opcode, args, route.level, sink, undefined);
    else this.#requests.read(group, spec, args, route.guarantee, sink, undefined);
  }

  #sum(shares: readonly Share[], spec: CommandSpec, route: Route, done: Done): void {
    const finish = gatherAll(shares.length, (replies) => done(sumOf(replies, spec.access)));
    shares.forEach((share, i) =>
      this.#ask(spec, share.partition, share.args, route, (reply) => finish(i, reply)),
    );
  }

  #sumOfAll(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    const { partitions } = route.keyspace;
    const finish = gatherAll(partitions, (replies) => done(sumOf(replies, spec.access)));
    for (let i = 0; i < partitions; i += 1) this.#ask(spec, i, args, route, (reply) => finish(i, reply));
  }

  #gather(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    if (route.guarantee === "stale") {
      const shares = splitByPartition(spec, args, route.partitionOf);
      const finish = gatherAll(shares.length, (replies) => done(inOrder(shares, replies)));
      shares.forEach((share, i) =>
        this.#ask(spec, share.partition, share.args, route, (reply) => finish(i, retainReply(reply))),
      );
      return;
    }
    const { paths } = this.#reads;
    const first = paths.count;
    for (let i = 1; i < args.count; i += 1) paths.add(oneMeaning(args.key(i), []));
    const onResolved: PathSink["onResolved"] = (results) =>
      done(results instanceof MinikeyError ? results : results.map(valueOf));
    this.#reads.look(first, route, { onResolved });
  }

  /** `args` may be reused as soon as this returns. */
  query(
    spec: CommandSpec,
    args: Args,
    route: Route,
    sink: ReplySink,
    context: RequestContext | undefined,
  ): void {
    const { paths } = this.#reads;
    const first = paths.count;
    let plan: QueryPlan;
    try {
      plan = planQuery(spec, args, paths);
    } catch (error) {
      paths.truncate(first);
      answer(sink, context, asReply(error));
      return;
    }
    this.#reads.look(first, route, new QueryRun(plan, args.bytesUsed, sink, context));
  }

  async #readLocked(keys: readonly Key[], route: Route): Promise<Entries> {
    this.#inSteps += 1;
    try {
      return await this.transactions.readLocked(keys, route);
    } finally {
      this.#inSteps -= 1;
    }
  }

  async #transact(spec: CommandSpec, args: Args, route: Route): Promise<Reply> {
    const plan = planTransaction(spec, args, this.#requests);
    return await this.transactions.run(plan, route, (keys) => this.#reads.read(keys, route));
  }

  #drive(spec: CommandSpec, args: Args, route: Route, done: Done): void {
    let dialogue: FanOut;
    try {
      dialogue = fanOut(spec, args, {
        partitions: route.keyspace.partitions,
        cursors: this.#cursors,
        random: () => this.#random.unit(),
        isEventual: false,
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
        const piece = COMMANDS.lookup(question.args.bytes, question.args.start(0), question.args.end(0));
        assert(piece !== undefined, "a piece of a command is in the table");
        this.#ask(piece, question.partition, question.args, route, (reply) => finish(i, retainReply(reply)));
      });
    };
    go([]);
  }
}

export function groupIn(keyspace: Keyspace, partition: number): GroupId {
  return groupOf(keyspace.id, partitionId(partition));
}

/** A command that waits for what its paths lead to. */
class QueryRun implements PathSink {
  readonly #plan: QueryPlan;
  /** What the plan keeps of the arguments. */
  readonly #keptBytes: number;
  readonly #sink: ReplySink;
  readonly #context: RequestContext | undefined;

  constructor(plan: QueryPlan, keptBytes: number, sink: ReplySink, context: RequestContext | undefined) {
    this.#plan = plan;
    this.#keptBytes = keptBytes;
    this.#sink = sink;
    this.#context = context;
    context?.order?.keep(keptBytes);
  }

  onResolved(results: readonly (Resolved | undefined)[] | MinikeyError, paths: AskedPaths): void {
    this.#context?.order?.letGo(this.#keptBytes);
    answer(
      this.#sink,
      this.#context,
      results instanceof MinikeyError ? results : this.#answer(results, paths),
    );
  }

  #answer(results: readonly (Resolved | undefined)[], paths: AskedPaths): Reply {
    try {
      return this.#plan.answer(results, paths);
    } catch (error) {
      return asReply(error);
    }
  }
}

/** A whole value as bytes, a document as its JSON. */
function valueOf(looked: Resolved | undefined): Reply {
  if (looked?.found.kind !== "value") return null;
  return new Slice(looked.bytes, looked.found.start, looked.found.end);
}

/** Calls `then` once `count` replies are there. */
export function gatherAll(
  count: number,
  then: (replies: Reply[]) => void,
): (i: number, reply: Reply) => void {
  const replies: Reply[] = Array.from({ length: count }, () => null);
  let open = count;
  if (open === 0) then(replies);
  return (i, reply) => {
    replies[i] = reply;
    open -= 1;
    if (open === 0) then(replies);
  };
}

/**
 * An error of one part is the whole command's. Of a write whose other parts are done, or may be, nobody can say
 * that it is not applied.
 */
export function sumOf(replies: readonly Reply[], access: CommandSpec["access"]): Reply {
  let sum = 0;
  let error: MinikeyError | undefined;
  for (const reply of replies) {
    if (!(reply instanceof MinikeyError)) sum += Number(reply);
    else if (error === undefined || reply.outcome === "unknown") error = reply;
  }
  if (error === undefined) return sum;
  if (sum === 0 || access !== "write" || error.outcome === "unknown") return error;
  return new MinikeyError("OUTCOME_UNKNOWN", `not all keys could be reached: ${error.message}`);
}

/** Replies of spread `gather` put back into the order of the keys; an error of one part is the whole command's. */
export function inOrder(shares: readonly Share[], replies: readonly Reply[]): Reply {
  const result: Reply[] = [];
  for (let i = 0; i < shares.length; i += 1) {
    const reply = replies[i];
    if (reply instanceof MinikeyError) return reply;
    const list = reply as readonly Reply[];
    shares[i].positions.forEach((position, at) => {
      result[position] = list[at];
    });
  }
  return result;
}

export function asReply(error: unknown): MinikeyError {
  if (error instanceof MinikeyError) return error;
  throw error;
}
