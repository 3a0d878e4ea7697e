/**
 * What a `COMPUTE` says beside its paths: a formula, names for its variables, the unit of angles. It answers any
 * number of commands that say the same.
 */
import { MinikeyError } from "../core/errors.js";
import { shorten } from "../core/text.js";
import { checkVariableName, type Formula, isExactNumber } from "../document/formula.js";
import type { FormulaCache } from "../document/formula-cache.js";
import { type AngleUnit, numberText } from "../document/formula-functions.js";
import { kindAt } from "../document/json-bytes.js";
import { NUMBER } from "../document/json-number.js";
import { type Answered, answered } from "./query.js";
import type { Reply } from "./reply.js";
import type { AskedPaths, QueryPlan, Resolved } from "./types.js";

/** Text that is a number as JSON writes them, and nothing else. */
const WHOLE_NUMBER = new RegExp(`^${NUMBER.source}$`);
/** Bytes that are longer are no number that anybody has stored. */
const NUMBER_BYTES_MAX = 400;
const SHOWN_MAX = 60;
const SHOWN_BYTES_MAX = 4 * SHOWN_MAX;

export class ComputeForm implements QueryPlan {
  readonly #formula: Formula;
  readonly #unit: AngleUnit;
  /** Of each variable of the formula, which of the names it has: their paths are to be added in this order. */
  readonly order: readonly number[];

  /** Throws `BAD_REQUEST`, unless every variable of the formula has one of the names, and no more are there. */
  constructor(text: string, names: readonly string[], unit: AngleUnit, formulas: FormulaCache) {
    this.#formula = formulas.get(text);
    this.#unit = unit;
    this.order = orderOf(this.#formula, names);
  }

  nameOf(variable: number): string {
    return this.#formula.variables[variable].name;
  }

  answer(results: readonly (Resolved | undefined)[], paths: AskedPaths): Reply {
    const values: number[] = [];
    for (let i = 0; i < this.order.length; i += 1) values.push(this.#valueOf(i, results, paths));
    return numberText(this.#formula.evaluate(values, this.#unit));
  }

  #valueOf(variable: number, results: readonly (Resolved | undefined)[], paths: AskedPaths): number {
    try {
      return numberAt(answered(results, paths, variable));
    } catch (error) {
      throw ofVariable(this.nameOf(variable), paths.meaningsAt(variable).text, error);
    }
  }
}

function orderOf(formula: Formula, names: readonly string[]): number[] {
  const positions = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    if (!formula.names.has(name)) checkVariableName(name);
    if (positions.has(name)) throw new MinikeyError("BAD_REQUEST", `${name} is bound twice`);
    positions.set(name, i);
  }
  const order = formula.variables.map(({ name, column }) => {
    const position = positions.get(name);
    if (position === undefined) {
      const advice = `add WHERE ${name} = QUERY path`;
      throw new MinikeyError("BAD_REQUEST", `formula: ${name} at column ${column} is not bound: ${advice}`);
    }
    positions.delete(name);
    return position;
  });
  for (const [name] of positions) {
    throw new MinikeyError("BAD_REQUEST", `${name} is bound, but the formula does not use it`);
  }
  return order;
}

function numberAt(found: Answered): number {
  const text = numberIn(found);
  if (text === undefined) throw wrongValue(`expected a number, got ${described(found)}`);
  const value = Number(text);
  if (!Number.isFinite(value)) throw wrongValue(`${shown(text)} is too large for a number`);
  if (!isExactNumber(text, value)) throw wrongValue(`${shown(text)} is beyond 2^53 and would lose digits`);
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

const wrongValue = (what: string): MinikeyError => new MinikeyError("COMPUTE_ERROR", what);

/** An error of a path or of what is there, with the variable that it is for. */
export function ofVariable(name: string, path: string, error: unknown): unknown {
  if (!(error instanceof MinikeyError)) return error;
  return new MinikeyError(error.code, `${name} = QUERY ${shown(path)}: ${error.message}`);
}

/** What an error repeats. */
const shown = (text: string): string => shorten(text, SHOWN_MAX);
