/**
 * What clients asked for and what they were told, and whether a database's final content agrees with it.
 *
 * The rules, for every operation: answered means done, exactly once; refused means not done; neither (the
 * connection broke, the answer said that the outcome is unknown) means done once or not at all.
 */
import type { RespClient } from "./resp-client.js";

/** `set`: a key of its own gets a value of its own. `append`: a token of its own, to a text. `incr`: by one. */
export type OperationKind = "set" | "append" | "incr";
export type OperationOutcome = "answered" | "refused" | "unknown";

export interface Operation {
  readonly kind: OperationKind;
  readonly key: string;
  /** The value of a `set`, the token of an `append`, empty for `incr`. */
  readonly value: string;
  readonly node: string;
  readonly invokedMs: number;
  /** Infinity while under way. */
  endedMs: number;
  outcome: OperationOutcome;
  /** Of an answered `incr`: the counter's value after it. Of `unknown` and `refused`: why. */
  answer: string;
}

export interface Verdict {
  readonly answered: number;
  readonly refused: number;
  readonly unknown: number;
  /** Broken promises, one line each. */
  readonly problems: string[];
}

const READ_BATCH = 500;
const PROBLEMS_TOLD_MAX = 20;
export const TOKEN_END = ";";

export class History {
  readonly operations: Operation[] = [];

  /** Notes the start of an operation; until it is ended its outcome is unknown. */
  begin(kind: OperationKind, key: string, value: string, node: string): Operation {
    const operation: Operation = {
      kind,
      key,
      value,
      node,
      invokedMs: performance.now(),
      endedMs: Infinity,
      outcome: "unknown",
      answer: "under way",
    };
    this.operations.push(operation);
    return operation;
  }

  /** Reads every key of the history through `client` and compares. Nothing may be under way any more. */
  async check(client: RespClient): Promise<Verdict> {
    const byKey = new Map<string, Operation[]>();
    for (const operation of this.operations) {
      const known = byKey.get(operation.key);
      if (known === undefined) byKey.set(operation.key, [operation]);
      else known.push(operation);
    }
    const keys = [...byKey.keys()];
    const problems: string[] = [];
    for (let i = 0; i < keys.length; i += READ_BATCH) {
      const batch = keys.slice(i, i + READ_BATCH);
      const replies = await client.pipeline(batch.map((key) => ["GET", key]));
      for (const [j, key] of batch.entries()) {
        const reply = replies[j];
        if (reply instanceof Error) throw reply;
        const content = typeof reply === "string" ? reply : undefined;
        problems.push(...checkKey(key, content, byKey.get(key) ?? []));
      }
    }
    const count = (outcome: OperationOutcome): number =>
      this.operations.filter((operation) => operation.outcome === outcome).length;
    return {
      answered: count("answered"),
      refused: count("refused"),
      unknown: count("unknown"),
      problems,
    };
  }
}

/** Throws when a promise was broken, with the first of them. */
export function assertKept({ problems }: Verdict): void {
  if (problems.length === 0) return;
  const told = problems.slice(0, PROBLEMS_TOLD_MAX).join("\n  ");
  throw new Error(`${problems.length} broken promises:\n  ${told}`);
}

/** The broken promises of one key, whose operations are all of one kind. */
export function checkKey(
  key: string,
  content: string | undefined,
  operations: readonly Operation[],
): string[] {
  switch (operations[0]?.kind) {
    case "set":
      return operations.flatMap((operation) => checkSet(key, content, operation));
    case "append":
      return checkAppends(key, content ?? "", operations);
    case "incr":
      return checkIncrements(key, content, operations);
    case undefined:
      return [];
  }
}

function checkSet(key: string, content: string | undefined, operation: Operation): string[] {
  const { outcome, value } = operation;
  if (content === undefined) return outcome === "answered" ? [`${key}: answered, but not there`] : [];
  if (content !== value) return [`${key}: holds ${content} instead of ${value}`];
  return outcome === "refused" ? [`${key}: refused (${operation.answer}), but there`] : [];
}

function checkAppends(key: string, content: string, operations: readonly Operation[]): string[] {
  const problems: string[] = [];
  const times = new Map<string, number>();
  for (const token of content.split(TOKEN_END).slice(0, -1)) times.set(token, (times.get(token) ?? 0) + 1);
  let previousPosition = -1;
  for (const { value, outcome, answer } of operations) {
    const token = value.slice(0, -TOKEN_END.length);
    const found = times.get(token) ?? 0;
    times.delete(token);
    if (found > 1) problems.push(`${key}: ${token} was appended ${found} times`);
    if (found === 0 && outcome === "answered")
      problems.push(`${key}: ${token} was answered, but is not there`);
    if (found > 0 && outcome === "refused")
      problems.push(`${key}: ${token} was refused (${answer}), but is there`);
    // One client appends to a key, one after the other: what came later stands later.
    const position = outcome === "answered" ? content.indexOf(value) : -1;
    if (position !== -1 && position < previousPosition)
      problems.push(`${key}: ${token} stands before an earlier one`);
    if (position !== -1) previousPosition = position;
  }
  for (const token of times.keys()) problems.push(`${key}: holds ${token}, which nobody appended`);
  return problems;
}

function checkIncrements(
  key: string,
  content: string | undefined,
  operations: readonly Operation[],
): string[] {
  const problems: string[] = [];
  const answers = operations
    .filter(({ outcome }) => outcome === "answered")
    .map(({ answer }) => Number(answer));
  const unknown = operations.filter(({ outcome }) => outcome === "unknown").length;
  const final = Number(content ?? 0);
  if (new Set(answers).size !== answers.length) problems.push(`${key}: two increments got the same answer`);
  if (final < answers.length) {
    problems.push(`${key}: is ${final} after ${answers.length} answered increments`);
  }
  if (final > answers.length + unknown) {
    problems.push(`${key}: is ${final} after ${answers.length} answered and ${unknown} unknown increments`);
  }
  const highest = Math.max(0, ...answers);
  if (final < highest) problems.push(`${key}: is ${final}, but an increment was told ${highest}`);
  return problems;
}
