/**
 * The text of a formula as a tree, by jsep (https://ericsmekens.github.io/jsep/), held to this grammar:
 *
 *     sum     := product { ("+" | "-") product }
 *     product := factor { ("*" | "/") factor }
 *     factor  := ("+" | "-") factor  |  primary [ "^" factor ]
 *     primary := number  |  name  |  name "(" [ sum { "," sum } ] ")"  |  "(" sum ")"
 *
 * So `-x^2` is −(x²), `2^-x` works and `2^3^2` is 2^(3^2). Blanks stand anywhere between tokens.
 *
 * jsep keeps its operators in the class, where every user of it in the process sees them. Ours are put there for
 * the time of one parse, which calls nobody else, and what was there before is put back: neither side's
 * configuration reaches the other.
 *
 * Whatever the text, parsing ends soon and shallow: characters that no formula has are refused before jsep sees
 * them (and with them strings, lists, comparisons, assignments …), the length is bounded, and so is the nesting,
 * counted while parsing. What is left that jsep takes and a formula has not (`x.y`, `f(1)(2)`) is in the tree,
 * for whoever compiles it to refuse.
 */
import type { Expression } from "jsep";
import { utf8Length } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { Jsep, type JsepConfiguration } from "./jsep-class.js";

export const FORMULA_BYTES_MAX = 4096;
/** Parentheses, calls, signs and powers inside one another. */
export const FORMULA_NESTING_MAX = 100;

/** Where an expression stands: `text[start, end)`. Only what jsep calls a token has it. */
export interface Placed {
  readonly start: number;
  readonly end: number;
}

const OPEN = 0x28;
const CLOSE = 0x29;
const COMMA = 0x2c;
const CARET = 0x5e;

const FOREIGN = /[^\w.+\-*/^(), \t\r\n]/u;

/** What people type and formulas write otherwise. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ["−", "write -"],
  ["×", "write *"],
  ["·", "write *"],
  ["÷", "write /"],
  ["²", "write ^2"],
  ["π", "write pi"],
]);

/** jsep's configuration for formulas. `^` is not among the operators: the parser below reads it. */
const OURS: JsepConfiguration = {
  unary_ops: { "+": 1, "-": 1 },
  binary_ops: { "+": 1, "-": 1, "*": 2, "/": 2 },
  right_associative: new Set<string>(),
  additional_identifier_chars: new Set(["_"]),
  literals: {},
  this_str: "",
  hooks: {},
  max_unop_len: 1,
  max_binop_len: 1,
};

export const badFormula = (what: string): MinikeyError => new MinikeyError("BAD_REQUEST", `formula: ${what}`);

/** The formula's tree. Throws `BAD_REQUEST` that says what is wrong and at which column, from 1. */
export function parseFormula(text: string): Expression {
  const sizeBytes = utf8Length(text);
  if (sizeBytes > FORMULA_BYTES_MAX) {
    throw badFormula(`${sizeBytes} bytes are more than the limit of ${FORMULA_BYTES_MAX}`);
  }
  const foreign = FOREIGN.exec(text);
  if (foreign !== null) throw unexpected(text, foreign.index, ADVICE.get(foreign[0]));
  const theirs = configurationOf(Jsep);
  Object.assign(Jsep, OURS);
  try {
    return new FormulaParser(text).parse();
  } finally {
    Object.assign(Jsep, theirs);
  }
}

function configurationOf(source: JsepConfiguration): JsepConfiguration {
  return {
    unary_ops: source.unary_ops,
    binary_ops: source.binary_ops,
    right_associative: source.right_associative,
    additional_identifier_chars: source.additional_identifier_chars,
    literals: source.literals,
    this_str: source.this_str,
    hooks: source.hooks,
    max_unop_len: source.max_unop_len,
    max_binop_len: source.max_binop_len,
  };
}

class FormulaParser extends Jsep {
  #nesting = -1;

  override parse(): Expression {
    this.gobbleSpaces();
    if (this.index === this.expr.length) throw badFormula("it is empty");
    const sum = this.gobbleExpression();
    if (this.index < this.expr.length) throw unexpected(this.expr, this.index, this.#advice("an operator"));
    return sum;
  }

  /** A factor. Throws where there is none, so that it never answers false. */
  override gobbleToken(): Expression {
    this.gobbleSpaces();
    const start = this.index;
    this.#nesting += 1;
    if (this.#nesting > FORMULA_NESTING_MAX) {
      throw badFormula(`nested more than ${FORMULA_NESTING_MAX} deep at column ${start + 1}`);
    }
    let factor = super.gobbleToken();
    if (factor === false) {
      const isPower = this.expr.startsWith("**", start - 1);
      const advice = isPower ? "write ^ for a power" : 'expected a number, a name or "("';
      throw unexpected(this.expr, start, advice);
    }
    Object.assign(factor, { start, end: this.index } satisfies Placed);
    this.gobbleSpaces();
    if (this.code === CARET) {
      this.index += 1;
      factor = { type: "BinaryExpression", operator: "^", left: factor, right: this.gobbleToken() };
    }
    this.#nesting -= 1;
    return factor;
  }

  /** From the `(` on. jsep's own would take several expressions, and commas anywhere. */
  override gobbleGroup(): Expression {
    const open = this.index;
    this.index += 1;
    const sum = this.gobbleExpression();
    this.#close(open);
    return sum;
  }

  /** After the `(` of a call. jsep's own would take blanks for commas. */
  override gobbleArguments(): Expression[] {
    const open = this.index - 1;
    const sums: Expression[] = [];
    this.gobbleSpaces();
    while (this.code !== CLOSE || sums.length > 0) {
      sums.push(this.gobbleExpression());
      if (this.code !== COMMA) break;
      this.index += 1;
    }
    this.#close(open);
    return sums;
  }

  /** What jsep finds wrong with numbers and names. */
  override throwError(message: string): never {
    if (message.startsWith("Variable")) {
      throw unexpected(this.expr, this.index, "expected an operator: write * to multiply");
    }
    const text = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    throw badFormula(`${text} at column ${this.index + 1}`);
  }

  #close(open: number): void {
    if (this.index === this.expr.length) {
      throw badFormula(`the "(" at column ${open + 1} is not closed`);
    }
    if (this.code !== CLOSE) throw unexpected(this.expr, this.index, this.#advice('an operator or ")"'));
    this.index += 1;
  }

  #advice(expected: string): string {
    return this.code === OPEN ? `expected ${expected}: write * to multiply` : `expected ${expected}`;
  }
}

/** `unexpected "%" at column 3`, or the end of the formula. */
function unexpected(text: string, at: number, advice: string | undefined): MinikeyError {
  const point = text.codePointAt(at);
  const what = point === undefined ? "end of the formula" : shown(point);
  const where = point === undefined ? "" : ` at column ${at + 1}`;
  return badFormula(`unexpected ${what}${where}${advice === undefined ? "" : `: ${advice}`}`);
}

/** `"%"`; what may be invisible or look like something else with its number too: `"−" (U+2212)`. */
function shown(point: number): string {
  if (point > 0x20 && point < 0x7f) return JSON.stringify(String.fromCodePoint(point));
  const number = `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  const isVisible = point > 0xa0 && !/[\p{C}\p{Z}]/u.test(String.fromCodePoint(point));
  return isVisible ? `"${String.fromCodePoint(point)}" (${number})` : number;
}
