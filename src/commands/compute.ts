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
import { utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { FormulaCache } from "../document/formula-cache.js";
import { meaningsOf } from "../document/meanings.js";
import type { PathList } from "../document/path-list.js";
import { ComputeForm, ofVariable } from "./compute-form.js";
import { ComputeForms, type ComputeLayout } from "./compute-forms.js";
import { type Binding, type ComputeRequest, parseCompute } from "./compute-words.js";
import { syntaxError } from "./errors.js";
import { command, isWord, textArg } from "./spec.js";
import type { Args, CommandSpec, QueryPlan } from "./types.js";

/** Keys that all paths of one COMPUTE may mean, together. */
const LOOKUPS_MAX = 10_000;
const BLANK = 0x20;

/** What is known of one of the two commands. */
interface ComputeSyntax {
  readonly layout: ComputeLayout;
  /** Throws `MinikeyError`, which says what is wrong. */
  readonly parse: (args: Args) => ComputeRequest;
  /** Whether whatever else stood in the place of the paths would be the paths. */
  readonly isRegular: (args: Args, request: ComputeRequest) => boolean;
}

class ComputePlanner {
  readonly #syntax: ComputeSyntax;
  readonly #formulas: FormulaCache;
  readonly #forms: ComputeForms;

  constructor(syntax: ComputeSyntax, formulas: FormulaCache) {
    this.#syntax = syntax;
    this.#formulas = formulas;
    this.#forms = new ComputeForms(syntax.layout);
  }

  plan(args: Args, paths: PathList): QueryPlan {
    const keysBefore = paths.keyCount;
    const known = this.#forms.find(args);
    const form =
      known !== undefined && this.#addPathArgs(known, args, paths) ? known : this.#planNew(args, paths);
    const lookups = paths.keyCount - keysBefore;
    if (lookups > LOOKUPS_MAX) {
      const advice = `${LOOKUPS_MAX} are the most, and a key in quotes means no other`;
      throw new MinikeyError("BAD_REQUEST", `the paths may mean ${lookups} keys: ${advice}`);
    }
    return form;
  }

  /** False, and nothing added, when some path is not plain. */
  #addPathArgs(form: ComputeForm, args: Args, paths: PathList): boolean {
    const { firstPath, step } = this.#syntax.layout;
    const before = paths.count;
    for (const position of form.order) {
      const arg = firstPath + step * position;
      const start = args.start(arg);
      // Words may be cut at blanks.
      if (args.bytes[start] === BLANK || !paths.addPlain(args.bytes, start, args.end(arg))) {
        paths.truncate(before);
        return false;
      }
    }
    return true;
  }

  #planNew(args: Args, paths: PathList): ComputeForm {
    const request = this.#syntax.parse(args);
    const { formula, bindings, unit } = request;
    const names = bindings.map(({ name }) => name);
    const form = new ComputeForm(formula, names, unit, this.#formulas);
    form.order.forEach((position) => addPath(bindings[position], paths));
    if (this.#syntax.isRegular(args, request)) this.#forms.keep(args, form);
    return form;
  }
}

function addPath({ name, path }: Binding, paths: PathList): void {
  const bytes = utf8ToBytes(path);
  if (paths.addPlain(bytes, 0, bytes.length)) return;
  try {
    paths.add(meaningsOf(path));
  } catch (error) {
    throw ofVariable(name, path, error);
  }
}

// --- COMPUTE ---

/** `COMPUTE formula WHERE name = QUERY path AND …`, each word an argument, as most clients cut it. */
const WORDS: ComputeSyntax = {
  layout: { formula: 1, firstPath: 6, step: 5 },
  parse: (args) => parseCompute(textArgs(args)),
  isRegular(args, { bindings }) {
    const hasUnit = args.count % 5 === 3;
    return (
      args.count === 2 + 5 * bindings.length + (hasUnit ? 1 : 0) &&
      !/where/i.test(args.text(1)) &&
      bindings.every(({ name, path }, i) => {
        const at = 2 + 5 * i;
        const words = [name, "=", args.text(at + 3), path];
        return (
          isWord(args, at, i === 0 ? "WHERE" : "AND") &&
          isWord(args, at + 3, "QUERY") &&
          words.every((word, j) => args.text(at + 1 + j) === word)
        );
      })
    );
  },
};

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

// --- KV.COMPUTE ---

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

const PLACES: ComputeSyntax = {
  layout: { formula: 2, firstPath: 4, step: 2 },
  parse: placedRequest,
  isRegular: () => true,
};

// --- Table ---

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

function planner(syntax: ComputeSyntax, formulas: FormulaCache): CommandSpec["query"] {
  const computes = new ComputePlanner(syntax, formulas);
  return (args, paths) => computes.plan(args, paths);
}

/** The commands, which keep the formulas that they have compiled in `formulas`. */
export const computeCommands = (formulas: FormulaCache): readonly CommandSpec[] => [
  computeCommand({
    name: "COMPUTE",
    opcode: 170,
    arity: -2,
    summary: "Compute a formula over numbers at paths of keys and fields, all of one moment",
    query: planner(WORDS, formulas),
  }),
  computeCommand({
    name: "KV.COMPUTE",
    opcode: 171,
    arity: -3,
    summary: "Compute a formula whose variables are given by name and path",
    check: (args) => {
      if (args.count % 2 === 0) throw syntaxError();
    },
    query: planner(PLACES, formulas),
  }),
];
