/**
 * Coordinates transactions over partitions (see transactions.ts for the partitions' side).
 *
 * A transaction is committed at the moment when the last partition has voted yes in its log. From then on it is
 * carried out whatever happens to this node: partitions that hold it ask the others and finish it.
 */
import { OK, type Reply, Slice } from "../commands/reply.js";
import type { Entry, Mutation, TransactionPlan, ValueType } from "../commands/types.js";
import { assert } from "../core/assert.js";
import { type Bytes, copyBytes, type Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId, NodeId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Random } from "../ports/random.js";
import type { BatchLevel } from "./batch.js";
import type { Route } from "./coordinator.js";
import {
  encodePreparePart,
  makeArgs,
  type NodeCommandSpec,
  TXN_ABORT,
  TXN_COMMIT,
  TXN_FORGET,
  TXN_PREPARE,
  TXN_VOTE,
  type Vote,
} from "./node-commands.js";
import { groupOfKey } from "./own-reads.js";
import { refusalError } from "./refusal.js";
import type { Requests } from "./requests.js";
import { retainReply } from "./retain-reply.js";
import type { Entries } from "./snapshot-reads.js";
import { newTransactionId, type StagedWrite, type TransactionId } from "./transactions.js";
import { STEPS_GRACE_MS, within } from "./within.js";

interface Part {
  readonly group: GroupId;
  readonly checks: { key: Key; version: number }[];
  readonly writes: StagedWrite[];
}

const ANY_VERSION = -1;
const PAUSE_MS_MAX = 20;
/** What became of one try. `committed`: and not yet known to all, unless the level asks for it. */
type Outcome = "committed" | "not committed";

export class TransactionRunner {
  readonly #requests: Requests;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #self: NodeId;
  /** Grows when a partition has fenced it. Where two lives of a node share one, both are fenced together. */
  #generation: number;

  constructor(requests: Requests, clock: Clock, random: Random, self: NodeId) {
    this.#requests = requests;
    this.#clock = clock;
    this.#random = random;
    this.#self = self;
    this.#generation = Math.max(0, Math.floor(clock.wallMs()));
  }

  /** The command's reply. Rejects with `MinikeyError`: `CONFLICT` when others were always faster. */
  async run(
    plan: TransactionPlan,
    route: Route,
    readTogether: (keys: readonly Key[]) => Promise<Entries>,
  ): Promise<Reply> {
    const limitMs = this.#requests.requestTimeoutMs + STEPS_GRACE_MS;
    const reply = await within(this.#clock, limitMs, this.#run(plan, route, readTogether));
    if (reply === undefined) throw unknownOutcome();
    return reply;
  }

  async #run(
    plan: TransactionPlan,
    route: Route,
    readTogether: (keys: readonly Key[]) => Promise<Entries>,
  ): Promise<Reply> {
    const deadlineMs = this.#clock.monotonicMs() + this.#requests.requestTimeoutMs;
    for (;;) {
      const { writes, reply, versions } = await decide(plan, readTogether);
      if (writes.length === 0) return reply;
      const parts = partsOf(plan.keys, versions, writes, route);
      if ((await this.#commit(parts, route.level, deadlineMs)) === "committed") return reply;
      if (this.#clock.monotonicMs() > deadlineMs) {
        throw new MinikeyError(
          "CONFLICT",
          "the keys were changed by others at the same time, again and again",
        );
      }
      await this.#pause();
    }
  }

  /** Entries of one moment, for keys that change too often to be read side by side. */
  async readLocked(keys: readonly Key[], route: Route): Promise<Entries> {
    const deadlineMs = this.#clock.monotonicMs() + this.#requests.requestTimeoutMs;
    for (;;) {
      const id = this.#newId();
      const parts = partsOf(keys, new Map(), [], route);
      const answers = await this.#prepare(id, parts, true);
      const isLocked = answers.every((answer) => voteOf(answer) === "PREPARED");
      const entries = isLocked ? entriesOf(parts, answers) : undefined;
      this.#send(TXN_ABORT, id, parts);
      if (entries !== undefined) return entries;
      const refusal = this.#refusalIn(answers);
      if (refusal !== undefined) throw refusal;
      // Nothing was to be written, so nothing is uncertain.
      if (answers.some((answer) => answer instanceof MinikeyError)) throw refusalError("unreachable");
      if (this.#clock.monotonicMs() > deadlineMs) throw refusalError("locked");
      await this.#pause();
    }
  }

  /**
   * Finishes a transaction whose coordinator may be gone: committed when all voted yes, else aborted. False when
   * not all partitions could be asked or told: to be tried again.
   */
  async finish(id: TransactionId, participants: readonly GroupId[]): Promise<boolean> {
    const votes = await this.#votes(id, participants);
    if (votes.includes(undefined)) return false;
    const isCommitted = votes.includes("COMMITTED") || votes.every((vote) => vote === "PREPARED");
    const isTold = await this.#tell(isCommitted ? TXN_COMMIT : TXN_ABORT, id, participants);
    if (!isTold || !isCommitted) return isTold;
    // Its coordinator may be there after all, and ask.
    return await this.#tell(TXN_FORGET, id, participants, "majority", "FENCE");
  }

  /** Rejects when it cannot be known, and with what refused it when trying again would not help. */
  async #commit(parts: readonly Part[], level: BatchLevel, deadlineMs: number): Promise<Outcome> {
    const id = this.#newId();
    const answers = await this.#prepare(id, parts, false);
    const votes = answers.map(voteOf);
    if (votes.every((vote) => vote === "PREPARED")) return await this.#carryOut(id, parts, level, deadlineMs);
    const refusal = this.#refusalIn(answers);
    if (refusal !== undefined || votes.some(isNo)) {
      // It will never be committed: nobody need wait until everyone knows. Behind the part that it undoes in the
      // order of what this node writes to the partition, so that part cannot come later.
      this.#send(TXN_ABORT, id, parts);
      if (refusal !== undefined) throw refusal;
      return "not committed";
    }
    return await this.#settle(id, parts, level, deadlineMs);
  }

  /** All have voted yes: it is committed, whether or not they can be told in time. */
  async #carryOut(
    id: TransactionId,
    parts: readonly Part[],
    level: BatchLevel,
    deadlineMs: number,
  ): Promise<Outcome> {
    // Who has this in its log has what was prepared, too: the level asked for is the level of this step.
    const telling = this.#tell(TXN_COMMIT, id, groupsOf(parts), level).then((isTold) => {
      // Those that could not be told find out by asking the others, who must remember until then.
      if (isTold) this.#send(TXN_FORGET, id, parts);
      return isTold;
    });
    const limitMs = Math.max(0, deadlineMs - this.#clock.monotonicMs());
    const isTold = await within(this.#clock, limitMs, telling);
    if (isTold !== true && level === "all") throw notEverywhere();
    return "committed";
  }

  /** Some partition may or may not have voted: it is asked again, and says no unless it has. */
  async #settle(
    id: TransactionId,
    parts: readonly Part[],
    level: BatchLevel,
    deadlineMs: number,
  ): Promise<Outcome> {
    const votes = await this.#votes(id, groupsOf(parts));
    if (votes.every((vote) => vote === "PREPARED" || vote === "COMMITTED")) {
      return await this.#carryOut(id, parts, level, deadlineMs);
    }
    if (!votes.includes("ABORTED")) throw unknownOutcome();
    // The vote of no is for all of this generation.
    this.#generation += 1;
    this.#send(TXN_ABORT, id, parts);
    throw refusalError("unreachable");
  }

  async #votes(id: TransactionId, groups: readonly GroupId[]): Promise<(Vote | undefined)[]> {
    return await Promise.all(groups.map(async (group) => voteOf(await this.#write(group, TXN_VOTE, [id]))));
  }

  /** What the client is to be told, when some partition has certainly not voted and trying again would not help. */
  #refusalIn(answers: readonly Reply[]): MinikeyError | undefined {
    for (const answer of answers) {
      const vote = voteOf(answer);
      if (vote === "FENCED") {
        const [, fence] = answer as readonly Reply[];
        this.#generation = Math.max(this.#generation, Number(fence) + 1);
      }
      if (vote === "FULL") return tooManyOpen();
      if (answer instanceof MinikeyError && answer.outcome !== "unknown") return answer;
    }
    return undefined;
  }

  async #prepare(id: TransactionId, parts: readonly Part[], wantsValues: boolean): Promise<Reply[]> {
    const participants = groupsOf(parts);
    return await Promise.all(
      parts.map(async ({ group, checks, writes }) => {
        const part = encodePreparePart({ participants, checks, writes, wantsValues });
        return await this.#write(group, TXN_PREPARE, [id, part]);
      }),
    );
  }

  /** True when all have confirmed. */
  async #tell(
    command: NodeCommandSpec,
    id: TransactionId,
    groups: readonly GroupId[],
    level: BatchLevel = "majority",
    ...more: readonly string[]
  ): Promise<boolean> {
    const replies = await Promise.all(
      groups.map(async (group) => await this.#write(group, command, [id, ...more], level)),
    );
    return replies.every((reply) => reply === OK);
  }

  /** As `#tell`, without waiting. */
  #send(command: NodeCommandSpec, id: TransactionId, parts: readonly Part[]): void {
    const args = makeArgs([command.name, id]);
    const sink = { onReply: () => undefined };
    for (const { group } of parts) this.#requests.writeOwn(group, command, args, "majority", sink);
  }

  async #write(
    group: GroupId,
    command: NodeCommandSpec,
    parts: readonly (string | Bytes)[],
    level: BatchLevel = "majority",
  ): Promise<Reply> {
    const args = makeArgs([command.name, ...parts]);
    return await new Promise((resolve) => {
      const onReply = (reply: Reply) => resolve(retainReply(reply));
      this.#requests.writeOwn(group, command, args, level, { onReply });
    });
  }

  async #pause(): Promise<void> {
    const delayMs = 1 + this.#random.below(PAUSE_MS_MAX);
    await new Promise<void>((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }

  #newId(): TransactionId {
    return newTransactionId(this.#self, this.#generation, this.#random.id48());
  }
}

function isNo(vote: Vote | undefined): boolean {
  return vote === "LOCKED" || vote === "CONFLICT" || vote === "FENCED";
}

function groupsOf(parts: readonly Part[]): readonly GroupId[] {
  return parts.map((part) => part.group);
}

function tooManyOpen(): MinikeyError {
  return new MinikeyError(
    "OVERLOADED",
    "too many transactions wait until all of their partitions can be reached",
  );
}

function unknownOutcome(): MinikeyError {
  return new MinikeyError(
    "OUTCOME_UNKNOWN",
    "not all partitions have answered in time: all or none may be done",
  );
}

function notEverywhere(): MinikeyError {
  return new MinikeyError("OUTCOME_UNKNOWN", "all is done, but not all replicas have confirmed it in time");
}

/** Decides on entries of one moment; also which version each key that the decision rests on had. */
async function decide(
  plan: TransactionPlan,
  readTogether: (keys: readonly Key[]) => Promise<Entries>,
): Promise<{ writes: readonly Mutation[]; reply: Reply; versions: ReadonlyMap<Key, number> }> {
  // Many a plan (MSET) reads nothing: it is asked first with nothing read.
  const versions = new Map<Key, number>();
  let hasRead = false;
  const blind = plan.decide(() => {
    hasRead = true;
    return undefined;
  });
  if (!hasRead) return { ...blind, versions };
  const entries = await readTogether(plan.keys);
  const decision = plan.decide((key): Entry | undefined => {
    const entry = entries.get(key);
    versions.set(key, entry?.version ?? 0);
    return entry;
  });
  return { ...decision, versions };
}

function partsOf(
  keys: readonly Key[],
  versions: ReadonlyMap<Key, number>,
  writes: readonly Mutation[],
  route: Route,
): Part[] {
  const parts = new Map<GroupId, Part>();
  const partOf = (key: Key): Part => {
    const group = groupOfKey(key, route);
    let part = parts.get(group);
    if (part === undefined) {
      part = { group, checks: [], writes: [] };
      parts.set(group, part);
    }
    return part;
  };
  for (const key of keys) partOf(key).checks.push({ key, version: versions.get(key) ?? ANY_VERSION });
  for (const write of writes) partOf(write.key).writes.push(stage(write));
  return [...parts.values()];
}

function stage(write: Mutation): StagedWrite {
  if (write.kind === "delete") return { action: "delete", key: write.key };
  const { key, type, expiresAtMs } = write;
  return { action: "put", key, type, expiresAtMs, value: copyBytes(write.bytes, write.start, write.end) };
}

/** Undefined when the partition gave no vote. */
function voteOf(answer: Reply): Vote | undefined {
  const vote = Array.isArray(answer) ? (answer as readonly Reply[])[0] : answer;
  return typeof vote === "string" ? (vote as Vote) : undefined;
}

function entriesOf(parts: readonly Part[], answers: readonly Reply[]): Entries {
  const entries = new Map<Key, Entry>();
  parts.forEach((part, i) => {
    const [, ...values] = answers[i] as readonly Reply[];
    part.checks.forEach(({ key }, at) => {
      const entry = entryOf(values[at]);
      if (entry !== undefined) entries.set(key, entry);
    });
  });
  return entries;
}

/** The reply of `KV.GET` as an entry. */
function entryOf(reply: Reply): Entry | undefined {
  if (reply === null) return undefined;
  assert(Array.isArray(reply), "KV.GET answers a list");
  const [type, version, expiresAtMs, value] = reply as readonly Reply[];
  assert(value instanceof Slice, "KV.GET answers a value");
  return {
    type: type as ValueType,
    version: Number(version),
    expiresAtMs: Number(expiresAtMs),
    bytes: value.bytes,
    start: value.start,
    end: value.end,
  };
}
