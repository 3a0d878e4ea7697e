/**
 * `COMPUTE` and `KV.COMPUTE`: a formula over numbers that are in the database, all of one moment.
 *
 * | command | arguments | reply |
 * | --- | --- | --- |
 * | `COMPUTE` | formula [WHERE name = QUERY path [AND …]] [DEGREES / RADIANS] | the result, as text |
 * | `KV.COMPUTE` | `radians`/`degrees` formula [name path …] | the result, as text |
 *
 * The second is for programs: what is the formula, a name, a path is settled by its place. A variable stands for
 * a number: that at its path, or a key's bytes when they are one (as `INCR` keeps it). Anything else is
 * `COMPUTE_ERROR`, nothing is `PATH_NOT_FOUND`; both name the variable, the path and what is there.
 */
import { MinikeyError } from "../core/errors.js";
import { shorten } from "../core/text.js";
import { checkVariableName, type Formula, isExactNumber } from "../document/formula.js";
import type { FormulaCache } from "../document/formula-cache.js";
import { type AngleUnit, numberText } from "../document/formula-functions.js";
import { kindAt } from "../document/json-bytes.js";
import { NUMBER } from "../document/json-number.js";
import { type Meanings, meaningsOf } from "../document/meanings.js";
import { type Binding, type ComputeRequest, parseCompute } from "./compute-words.js";
import { syntaxError } from "./errors.js";
import { type Answered, answered } from "./query.js";
import type { Reply } from "./reply.js";
import { command, isWord, textArg } from "./spec.js";
import type { Args, CommandSpec, QueryPlan, Resolved } from "./types.js";

/** Keys that all paths of one COMPUTE may mean, together. */
const LOOKUPS_MAX = 10_000;
/** Text that is a number as JSON writes them, and nothing else. */
const WHOLE_NUMBER = new RegExp(`^${NUMBER.source}$`);
/** Bytes that are longer are no number that anybody has stored. */
const NUMBER_BYTES_MAX = 400;
const SHOWN_MAX = 60;
const SHOWN_BYTES_MAX = 4 * SHOWN_MAX;

/** A variable of the formula, and where its value lies. */
interface Bound extends Binding {
  readonly meanings: Meanings;
}

class ComputePlan implements QueryPlan {
  readonly paths: readonly Meanings[];
  readonly #formula: Formula;
  readonly #unit: AngleUnit;
  readonly #bound: readonly Bound[];

  constructor(request: ComputeRequest, formulas: FormulaCache) {
    this.#formula = formulas.get(request.formula);
    this.#unit = request.unit;
    this.#bound = bind(this.#formula, request.bindings);
    this.paths = this.#bound.map((one) => one.meanings);
    let lookups = 0;
    for (const { count } of this.paths) lookups += count;
    if (lookups > LOOKUPS_MAX) {
      const advice = `${LOOKUPS_MAX} are the most, and a key in quotes means no other`;
      throw new MinikeyError("BAD_REQUEST", `the paths may mean ${lookups} keys: ${advice}`);
    }
  }

  answer(results: readonly (Resolved | undefined)[]): Reply {
    const values = this.#bound.map((one, i) => valueOf(one, results[i]));
    return numberText(this.#formula.evaluate(values, this.#unit));
  }
}

/** The bindings in the order of the formula's variables: each has one, and no more are there. */
function bind(formula: Formula, bindings: readonly Binding[]): Bound[] {
  const paths = new Map<string, string>();
  for (const { name, path } of bindings) {
    if (!formula.names.has(name)) checkVariableName(name);
    if (paths.has(name)) throw new MinikeyError("BAD_REQUEST", `${name} is bound twice`);
    paths.set(name, path);
  }
  const bound = formula.variables.map(({ name, column }) => {
    const path = paths.get(name);
    if (path === undefined) {
      const advice = `add WHERE ${name} = QUERY path`;
      throw new MinikeyError("BAD_REQUEST", `formula: ${name} at column ${column} is not bound: ${advice}`);
    }
    paths.delete(name);
    return { name, path, meanings: boundMeanings(name, path) };
  });
  for (const [name] of paths) {
    throw new MinikeyError("BAD_REQUEST", `${name} is bound, but the formula does not use it`);
  }
  return bound;
}

function boundMeanings(name: string, path: string): Meanings {
  try {
    return meaningsOf(path);
  } catch (error) {
    throw ofVariable(name, path, error);
  }
}

function valueOf({ name, path, meanings }: Bound, result: Resolved | undefined): number {
  let found: Answered;
  try {
    found = answered(meanings, result);
  } catch (error) {
    throw ofVariable(name, path, error);
  }
  const text = numberIn(found);
  if (text === undefined) throw wrongValue(name, path, `expected a number, got ${described(found)}`);
  const value = Number(text);
  if (!Number.isFinite(value)) throw wrongValue(name, path, `${shown(text)} is too large for a number`);
  if (!isExactNumber(text, value)) {
    throw wrongValue(name, path, `${shown(text)} is beyond 2^53 and would lose digits`);
  }
  return value;
}

/** The number's text; undefined when the value is none. */
function numberIn({ looked, start, end }: Answered): string | undefined {
  const { type, bytes } = looked;
  if (type === "json") return kindAt(bytes, start) === "number" ? bytes.latin1Slice(start, end) : undefined;
  if (end - start > NUMBER_BYTES_MAX) return undefined;
  const text = bytes.latin1Slice(start, end);
  return WHOLE_NUMBER.test(text) ? text : undefined;
}

/** What is there instead of a number: `text ("John")`, `a list` … */
function described({ looked, start, end }: Answered): string {
  const { type, bytes } = looked;
  const head = bytes.utf8Slice(start, Math.min(end, start + SHOWN_BYTES_MAX));
  if (type === "string") return `text (${shown(JSON.stringify(head))})`;
  switch (kindAt(bytes, start)) {
    case "text":
      return `text (${shown(head)})`;
    case "array":
      return "a list";
    case "object":
      return "an object";
    case "boolean":
    case "null":
    case "number":
      return head;
  }
}

const wrongValue = (name: string, path: string, what: string): MinikeyError =>
  new MinikeyError("COMPUTE_ERROR", `${name} = QUERY ${shown(path)}: ${what}`);

/** An error of the path, with the variable that it is for. */
function ofVariable(name: string, path: string, error: unknown): unknown {
  if (!(error instanceof MinikeyError)) return error;
  return new MinikeyError(error.code, `${name} = QUERY ${shown(path)}: ${error.message}`);
}

/** What an error repeats. */
const shown = (text: string): string => shorten(text, SHOWN_MAX);

// --- Table ---

/** The arguments behind the command's name as texts: while all is ASCII parts of one, which is quicker. */
function textArgs(args: Args): string[] {
  let start = args.start(1);
  let end = start;
  for (let i = 1; i < args.count; i += 1) {
    start = Math.min(start, args.start(i));
    end = Math.max(end, args.end(i));
  }
  const all = args.bytes.latin1Slice(start, end);
  const isAscii = isAsciiText(all);
  const texts: string[] = [];
  for (let i = 1; i < args.count; i += 1) {
    const text = isAscii
      ? all.slice(args.start(i) - start, args.end(i) - start)
      : textArg(args, i, `argument ${i}`);
    texts.push(text);
  }
  return texts;
}

function isAsciiText(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function placedRequest(args: Args): ComputeRequest {
  const unit = isWord(args, 1, "DEGREES") ? "degrees" : "radians";
  if (unit === "radians" && !isWord(args, 1, "RADIANS")) {
    const got = JSON.stringify(args.text(1).slice(0, 40));
    throw new MinikeyError("SYNTAX", `angle: expected radians or degrees, got ${got}`);
  }
  const bindings: Binding[] = [];
  for (let i = 3; i < args.count; i += 2) {
    bindings.push({ name: textArg(args, i, "a variable"), path: textArg(args, i + 1, "a path") });
  }
  return { unit, formula: textArg(args, 2, "the formula"), bindings };
}

type Fields = Parameters<typeof command>[0];

const computeCommand = (fields: Pick<Fields, "name" | "opcode" | "arity" | "summary" | "check" | "query">) =>
  command({
    ...fields,
    spread: "query",
    access: "read",
    flags: ["readonly", "movablekeys"],
    categories: ["@keyspace", "@read", "@slow"],
    group: "minikey",
  });

/** The commands, which keep the formulas that they have compiled in `formulas`. */
export const computeCommands = (formulas: FormulaCache): readonly CommandSpec[] => [
  computeCommand({
    name: "COMPUTE",
    opcode: 170,
    arity: -2,
    summary: "Compute a formula over numbers at paths of keys and fields, all of one moment",
    query: (args) => new ComputePlan(parseCompute(textArgs(args)), formulas),
  }),
  computeCommand({
    name: "KV.COMPUTE",
    opcode: 171,
    arity: -3,
    summary: "Compute a formula whose variables are given by name and path",
    check: (args) => {
      if (args.count % 2 === 0) throw syntaxError();
    },
    query: (args) => new ComputePlan(placedRequest(args), formulas),
  }),
];
