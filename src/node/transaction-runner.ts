/**
 * Coordinates transactions over partitions (see transactions.ts for the partitions' side).
 *
 * A transaction is committed at the moment when the last partition has voted yes in its log. From then on it is
 * carried out whatever happens to this node: partitions that hold it ask the others and finish it.
 */
import { OK, type Reply } from "../commands/reply.js";
import type { Entry, Mutation, TransactionPlan } from "../commands/types.js";
import { type Bytes, copyBytes, type Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { GroupId } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Random } from "../ports/random.js";
import type { BatchLevel } from "./batch.js";
import { groupIn, type Route } from "./coordinator.js";
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
import type { Requests } from "./requests.js";
import { retainReply } from "./retain-reply.js";
import { type Entries, entryOf, partitionOfKey } from "./snapshot-reads.js";
import type { StagedWrite, TransactionId } from "./transactions.js";

interface Part {
  readonly group: GroupId;
  readonly checks: { key: Key; version: number }[];
  readonly writes: StagedWrite[];
}

const ANY_VERSION = -1;
const PAUSE_MS_MAX = 20;

export class TransactionRunner {
  readonly #requests: Requests;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(requests: Requests, clock: Clock, random: Random) {
    this.#requests = requests;
    this.#clock = clock;
    this.#random = random;
  }

  /** The command's reply. Rejects with `MinikeyError`: `CONFLICT` when others were always faster. */
  async run(
    plan: TransactionPlan,
    route: Route,
    readTogether: (keys: readonly Key[]) => Promise<Entries>,
  ): Promise<Reply> {
    const deadlineMs = this.#clock.monotonicMs() + this.#requests.requestTimeoutMs;
    for (;;) {
      const { writes, reply, versions } = await decide(plan, readTogether);
      if (writes.length === 0) return reply;
      const parts = partsOf(plan.keys, versions, writes, route);
      if (await this.#commit(parts, route.level)) return reply;
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
      await this.#tell(TXN_ABORT, id, parts);
      this.#forget(id, parts);
      if (entries !== undefined) return entries;
      if (this.#clock.monotonicMs() > deadlineMs) {
        throw new MinikeyError("CONFLICT", "the keys are held by other transactions");
      }
      await this.#pause();
    }
  }

  /**
   * Finishes a transaction whose coordinator may be gone: committed when all voted yes, else aborted. False when
   * not all partitions could be asked: to be tried again.
   */
  async finish(id: TransactionId, participants: readonly GroupId[]): Promise<boolean> {
    const votes = await Promise.all(
      participants.map(async (group) => voteOf(await this.#write(group, TXN_VOTE, [id]))),
    );
    if (votes.includes(undefined)) return false;
    const isCommitted = votes.includes("COMMITTED") || votes.every((vote) => vote === "PREPARED");
    const decision = isCommitted ? TXN_COMMIT : TXN_ABORT;
    const told = await Promise.all(
      participants.map(async (group) => await this.#write(group, decision, [id])),
    );
    return told.every((reply) => reply === OK);
  }

  /** True: committed. False: not, try again. Rejects when it cannot be known. */
  async #commit(parts: readonly Part[], level: BatchLevel): Promise<boolean> {
    const id = this.#newId();
    const answers = await this.#prepare(id, parts, false);
    const votes = answers.map(voteOf);
    const isRefused = votes.some((vote) => vote === "LOCKED" || vote === "CONFLICT" || vote === "ABORTED");
    if (isRefused) {
      await this.#tell(TXN_ABORT, id, parts);
      this.#forget(id, parts);
      return false;
    }
    if (votes.every((vote) => vote === "PREPARED")) {
      // Who has this in its log has what was prepared, too: the level asked for is the level of this step.
      const isTold = await this.#tell(TXN_COMMIT, id, parts, level);
      // Those that could not be told find out by asking the others, who must remember until then.
      if (isTold) this.#forget(id, parts);
      else if (level === "all") throw notEverywhere();
      return true;
    }
    const refusal = answers.find((answer) => answer instanceof MinikeyError && answer.outcome !== "unknown");
    if (refusal !== undefined) {
      // It will never be committed: nobody need wait until everyone knows.
      this.#send(TXN_ABORT, id, parts);
      throw refusal;
    }
    return await this.#settle(id, parts, answers, level);
  }

  /** Some partition gave no vote: the partitions themselves decide. */
  async #settle(
    id: TransactionId,
    parts: readonly Part[],
    answers: readonly Reply[],
    level: BatchLevel,
  ): Promise<boolean> {
    const error = answers.find((answer) => answer instanceof MinikeyError);
    const groups = parts.map((part) => part.group);
    const votes = await Promise.all(
      groups.map(async (group) => voteOf(await this.#write(group, TXN_VOTE, [id]))),
    );
    if (votes.every((vote) => vote !== undefined)) {
      const isCommitted = votes.every((vote) => vote === "PREPARED" || vote === "COMMITTED");
      if (isCommitted) {
        const isTold = await this.#tell(TXN_COMMIT, id, parts, level);
        if (!isTold && level === "all") throw notEverywhere();
        return true;
      }
      await this.#tell(TXN_ABORT, id, parts);
      throw error ?? new MinikeyError("NO_QUORUM", "no majority of the keys' replicas can be reached");
    }
    throw new MinikeyError(
      "OUTCOME_UNKNOWN",
      "not all partitions have answered in time: all or none may be done",
    );
  }

  async #prepare(id: TransactionId, parts: readonly Part[], wantsValues: boolean): Promise<Reply[]> {
    const participants = parts.map((part) => part.group);
    return await Promise.all(
      parts.map(async ({ group, checks, writes }) => {
        const part = encodePreparePart({ participants, checks, writes, wantsValues });
        return await this.#write(group, TXN_PREPARE, [id, part]);
      }),
    );
  }

  async #tell(
    command: NodeCommandSpec,
    id: TransactionId,
    parts: readonly Part[],
    level: BatchLevel = "majority",
  ): Promise<boolean> {
    const replies = await Promise.all(
      parts.map(async (part) => await this.#write(part.group, command, [id], level)),
    );
    return replies.every((reply) => reply === OK);
  }

  #forget(id: TransactionId, parts: readonly Part[]): void {
    this.#send(TXN_FORGET, id, parts);
  }

  /** As `#tell`, without waiting. */
  #send(command: NodeCommandSpec, id: TransactionId, parts: readonly Part[]): void {
    const args = makeArgs([command.name, id]);
    const sink = { onReply: () => undefined };
    for (const part of parts) this.#requests.writeOwn(part.group, command, args, "majority", sink);
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
    return `${this.#random.id48().toString(36)}-${this.#random.id48().toString(36)}`;
  }
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
    const group = groupIn(route.keyspace, partitionOfKey(key, route));
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
