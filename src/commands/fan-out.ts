/**
 * Commands that concern every partition, as a dialogue: `next` says which pieces (`internal.ts`) to ask of
 * which partitions, takes their answers, and in the end gives the reply. Whoever drives it may ask the
 * questions of one step side by side. Pieces are small, so that no partition is busy for long.
 */

import { AssertionFailure, assert } from "../core/assert.js";
import { type Key, latin1ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { OK, type Reply, Slice } from "./reply.js";
import { parseScan, type ScanRequest } from "./scan.js";
import type { ScanCursors, ScanPosition } from "./scan-cursor.js";
import { keyReply, numberArg } from "./spec.js";
import { Args, type CommandSpec } from "./types.js";

/** A piece to be carried out by `partition`. */
export interface Question {
  readonly partition: number;
  readonly args: Args;
}

export type FanOutStep =
  | { readonly kind: "ask"; readonly questions: readonly Question[] }
  | { readonly kind: "done"; readonly reply: Reply };

export interface FanOut {
  /** `answers` to the last step's questions, in their order; none at first. Keeps nothing of them. */
  next(answers: readonly Reply[]): FanOutStep;
}

export interface FanOutContext {
  /** Partitions of the keyspace. */
  readonly partitions: number;
  readonly cursors: ScanCursors;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** In an eventual keyspace keys are removed one by one: each leaves a deletion for the other replicas. */
  readonly isEventual: boolean;
}

/** The dialogue for a command of spread `all`. Throws `MinikeyError` for arguments that are not right. */
export function fanOut(spec: CommandSpec, args: Args, context: FanOutContext): FanOut {
  switch (spec.name) {
    case "SCAN":
      return new Scan(parseScan(args), context);
    case "KEYS":
      return new AllKeys(args.key(1), context.partitions);
    case "KV.LIST":
      return new SortedPage(args, context.partitions);
    case "RANDOMKEY":
      return new RandomKey(context);
    case "FLUSHDB":
      return context.isEventual ? new FlushKeys(context.partitions) : new Flush(context.partitions);
    default:
      throw new AssertionFailure(`${spec.name} does not concern every partition`);
  }
}

/** The most keys that one piece looks at. */
const PIECE_KEYS_MAX = 1_000;
/** As above, where looking at a key costs less. */
const FIND_KEYS_MAX = 10_000;

/** A piece's arguments, one character a byte. */
function piece(partition: number, ...words: string[]): Question {
  const args = new Args(latin1ToBytes(words.join("")));
  let at = 0;
  for (const word of words) {
    args.push(at, at + word.length);
    at += word.length;
  }
  return { partition, args };
}

const ask = (questions: readonly Question[]): FanOutStep => ({ kind: "ask", questions });
const done = (reply: Reply): FanOutStep => ({ kind: "done", reply });

function everyPartition(partitions: number, ...words: string[]): Question[] {
  return Array.from({ length: partitions }, (_, partition) => piece(partition, ...words));
}

function firstError(answers: readonly Reply[]): MinikeyError | undefined {
  return answers.find((answer) => answer instanceof MinikeyError);
}

// --- Reading answers: their shapes are those of internal.ts ---

function listOf(reply: Reply): readonly Reply[] {
  assert(Array.isArray(reply), "a list was expected from a partition");
  return reply as readonly Reply[];
}

function keyOf(reply: Reply): Key {
  assert(reply instanceof Slice, "a key was expected from a partition");
  return reply.bytes.latin1Slice(reply.start, reply.end);
}

const optionalKeyOf = (reply: Reply): Key | undefined => (reply === null ? undefined : keyOf(reply));

function numberOf(reply: Reply): number {
  assert(typeof reply === "number", "a number was expected from a partition");
  return reply;
}

// --- SCAN ---

/** Partitions asked at once, at most. */
const SCAN_WIDTH_MAX = 16;

/**
 * Goes through the partitions in order. While they turn out to hold less than is wanted, twice as many are
 * asked at once; what comes from behind a partition that is not at its end is thrown away.
 */
class Scan implements FanOut {
  readonly #request: ScanRequest;
  readonly #context: FanOutContext;
  readonly #keys: Key[] = [];
  #left: number;
  #width = 1;
  #position: ScanPosition;
  /** How far the search for the key with the position's hash has come. */
  #searchedUpTo: Key | undefined;
  #asked: "nothing" | "find" | "keys" = "nothing";

  constructor(request: ScanRequest, context: FanOutContext) {
    this.#request = request;
    this.#context = context;
    this.#left = request.count;
    this.#position = context.cursors.resolve(request.cursor, context.partitions);
  }

  next(answers: readonly Reply[]): FanOutStep {
    const error = firstError(answers);
    if (error !== undefined) return done(error);
    if (this.#asked === "find") this.#onFound(answers[0]);
    if (this.#asked === "keys") {
      const reply = this.#onKeys(answers);
      if (reply !== undefined) return done(reply);
    }
    const { partition, hash, after } = this.#position;
    if (hash !== 0 && after === undefined) {
      this.#asked = "find";
      return ask([piece(partition, "SCANFIND", `${hash}`, this.#searchedUpTo ?? "", `${FIND_KEYS_MAX}`)]);
    }
    this.#asked = "keys";
    return ask(this.#questions());
  }

  #questions(): Question[] {
    const { partition: first, after } = this.#position;
    const count = `${Math.min(this.#left, PIECE_KEYS_MAX)}`;
    const end = Math.min(first + this.#width, this.#context.partitions);
    const questions: Question[] = [];
    for (let partition = first; partition < end; partition += 1) {
      const from = partition === first ? (after ?? "") : "";
      questions.push(piece(partition, "SCANPART", from, count, this.#request.pattern, this.#request.type));
    }
    return questions;
  }

  #onFound(answer: Reply): void {
    const [found, searchedUpTo] = listOf(answer);
    this.#searchedUpTo = optionalKeyOf(searchedUpTo);
    const { partition, hash } = this.#position;
    if (found !== null) this.#position = { partition, hash, after: keyOf(found) };
    else if (searchedUpTo === null) this.#position = { partition, hash: 0, after: undefined };
  }

  /** The reply, when enough keys have been looked at or there are no more. */
  #onKeys(answers: readonly Reply[]): Reply | undefined {
    for (const answer of answers) {
      const [keys, lastKey, examined] = listOf(answer);
      for (const key of listOf(keys)) this.#keys.push(keyOf(key));
      this.#left -= numberOf(examined);
      const after = optionalKeyOf(lastKey);
      const { partition, hash } = this.#position;
      if (after !== undefined) {
        this.#position = { partition, hash, after };
        return this.#left > 0 ? undefined : this.#reply();
      }
      this.#position = { partition: partition + 1, hash: 0, after: undefined };
    }
    this.#width = Math.min(2 * this.#width, SCAN_WIDTH_MAX);
    return this.#left > 0 && this.#position.partition < this.#context.partitions ? undefined : this.#reply();
  }

  #reply(): Reply {
    const { partition, after } = this.#position;
    const { partitions, cursors } = this.#context;
    const cursor = partition < partitions ? cursors.give(partition, partitions, after) : 0;
    return [`${cursor}`, this.#keys.map(keyReply)];
  }
}

// --- KEYS ---

class AllKeys implements FanOut {
  readonly #pattern: Key;
  readonly #keys: Key[] = [];
  #questions: readonly Question[];

  constructor(pattern: Key, partitions: number) {
    this.#pattern = pattern;
    this.#questions = everyPartition(partitions, "SCANPART", "", `${PIECE_KEYS_MAX}`, pattern, "");
  }

  next(answers: readonly Reply[]): FanOutStep {
    const error = firstError(answers);
    if (error !== undefined) return done(error);
    const more: Question[] = [];
    for (const [i, answer] of answers.entries()) {
      const [keys, lastKey] = listOf(answer);
      for (const key of listOf(keys)) this.#keys.push(keyOf(key));
      if (lastKey === null) continue;
      const { partition } = this.#questions[i];
      more.push(piece(partition, "SCANPART", keyOf(lastKey), `${PIECE_KEYS_MAX}`, this.#pattern, ""));
    }
    if (answers.length > 0) this.#questions = more;
    return this.#questions.length > 0 ? ask(this.#questions) : done(this.#keys.map(keyReply));
  }
}

// --- KV.LIST ---

/** A page of keys in order: the first ones of every partition's page. */
class SortedPage implements FanOut {
  readonly #questions: readonly Question[];
  readonly #limit: number;

  constructor(args: Args, partitions: number) {
    this.#limit = numberArg(args, 3);
    this.#questions = everyPartition(partitions, "KV.LIST", args.key(1), args.key(2), `${this.#limit}`);
  }

  next(answers: readonly Reply[]): FanOutStep {
    if (answers.length === 0) return ask(this.#questions);
    const error = firstError(answers);
    if (error !== undefined) return done(error);
    const keys: Key[] = [];
    let more = 0;
    for (const answer of answers) {
      const [page, partitionHasMore] = listOf(answer);
      for (const key of listOf(page)) keys.push(keyOf(key));
      if (partitionHasMore === 1) more = 1;
    }
    // The default order of strings is that of their characters, which here are bytes.
    keys.sort();
    if (keys.length > this.#limit) more = 1;
    return done([keys.slice(0, this.#limit).map(keyReply), more]);
  }
}

// --- RANDOMKEY ---

/** Chooses a partition by its number of keys, then a key of it. */
class RandomKey implements FanOut {
  readonly #context: FanOutContext;
  #counts: number[] | undefined;
  #chosen = -1;

  constructor(context: FanOutContext) {
    this.#context = context;
  }

  next(answers: readonly Reply[]): FanOutStep {
    if (answers.length === 0) return ask(everyPartition(this.#context.partitions, "COUNT"));
    const error = firstError(answers);
    if (error !== undefined) return done(error);
    if (this.#counts === undefined) this.#counts = answers.map(numberOf);
    else if (answers[0] === null) this.#counts[this.#chosen] = 0;
    else return done(keyReply(keyOf(answers[0])));
    return this.#choose(this.#counts);
  }

  /** Of a partition that counts keys, all may have expired: then another is chosen. */
  #choose(counts: readonly number[]): FanOutStep {
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return done(null);
    let left = Math.floor(this.#context.random() * total);
    this.#chosen = counts.findIndex((count) => {
      left -= count;
      return left < 0;
    });
    const seed = 1 + Math.floor(this.#context.random() * 0xffff_fffe);
    return ask([piece(this.#chosen, "RANDOMPART", `${seed}`)]);
  }
}

// --- FLUSHDB ---

class Flush implements FanOut {
  readonly #partitions: number;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  next(answers: readonly Reply[]): FanOutStep {
    if (answers.length === 0) return ask(everyPartition(this.#partitions, "FLUSHPART"));
    const error = firstError(answers);
    if (error === undefined) return done(OK);
    const nothingDone = answers.every(
      (answer) => answer instanceof MinikeyError && answer.outcome !== "unknown",
    );
    return done(nothingDone ? error : partlyFlushed(error));
  }
}

const partlyFlushed = (error: MinikeyError): MinikeyError =>
  new MinikeyError("OUTCOME_UNKNOWN", `not every partition was flushed: ${error.message}`);

/** Piece by piece: the next keys of each partition, then their removal. What is written meanwhile may stay. */
class FlushKeys implements FanOut {
  #questions: readonly Question[];
  #asked: "keys" | "removals" = "keys";
  /** Where each partition that is not at its end goes on. */
  #next: Question[] = [];
  #hasRemoved = false;

  constructor(partitions: number) {
    this.#questions = everyPartition(partitions, "SCANPART", "", `${PIECE_KEYS_MAX}`, "*", "");
  }

  next(answers: readonly Reply[]): FanOutStep {
    const error = firstError(answers);
    if (error !== undefined) {
      const mayHaveRemoved = this.#asked === "removals" && answers.some(hasRemoved);
      return done(this.#hasRemoved || mayHaveRemoved ? partlyFlushed(error) : error);
    }
    if (answers.length === 0) return ask(this.#questions);
    if (this.#asked === "keys") {
      const removals = this.#onKeys(answers);
      if (removals.length > 0) return ask(removals);
    } else {
      this.#hasRemoved = true;
    }
    this.#asked = "keys";
    this.#questions = this.#next;
    this.#next = [];
    return this.#questions.length > 0 ? ask(this.#questions) : done(OK);
  }

  #onKeys(answers: readonly Reply[]): Question[] {
    this.#asked = "removals";
    const removals: Question[] = [];
    for (const [i, answer] of answers.entries()) {
      const { partition } = this.#questions[i];
      const [keys, lastKey] = listOf(answer);
      const words = listOf(keys).map(keyOf);
      if (words.length > 0) removals.push(piece(partition, "DEL", ...words));
      if (lastKey === null) continue;
      this.#next.push(piece(partition, "SCANPART", keyOf(lastKey), `${PIECE_KEYS_MAX}`, "*", ""));
    }
    return removals;
  }
}

/** Of an answer to a removal: something may be gone. */
const hasRemoved = (answer: Reply): boolean =>
  !(answer instanceof MinikeyError) || answer.outcome === "unknown";
