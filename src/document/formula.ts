/**
 * Formulas, as `COMPUTE` takes them: compiled once, evaluated with the values of their variables.
 *
 * A formula becomes a program for a stack machine that knows numbers, variables by position, five operators and
 * the functions of formula-functions.ts. No name of the formula ever finds anything else, so there is nothing to
 * break out to. `2*(x+3)`:
 *
 *     CONSTANT 2 · VARIABLE x · CONSTANT 3 · ADD · MULTIPLY
 *
 * Functions and constants are found in any case, variables only as they are written. A variable cannot have the
 * name of a function or a constant.
 */
import type { CoreExpression, Expression, Identifier, Literal } from "jsep";
import { MinikeyError } from "../core/errors.js";
import { shorten } from "../core/text.js";
import {
  type AngleUnit,
  add,
  CONSTANTS,
  divide,
  FUNCTIONS,
  multiply,
  power,
  subtract,
} from "./formula-functions.js";
import { badFormula, type Placed, parseFormula } from "./formula-parser.js";

/**
 * What an instruction does; `CONSTANT` and `VARIABLE` have a position behind them, `CALL` a function and how many
 * numbers it takes.
 */
const CONSTANT = 0;
const VARIABLE = 1;
const NEGATE = 2;
const ADD = 3;
const SUBTRACT = 4;
const MULTIPLY = 5;
const DIVIDE = 6;
const POWER = 7;
const CALL = 8;

const OPERATORS: Readonly<Record<string, number>> = {
  "+": ADD,
  "-": SUBTRACT,
  "*": MULTIPLY,
  "/": DIVIDE,
  "^": POWER,
};

/** Throws `BAD_REQUEST` that says what is wrong with the text, and where. */
export function compileFormula(text: string): Formula {
  return new Compiler(text).compile();
}

/**
 * Throws `BAD_REQUEST` unless formulas can have a variable of this name: a letter or `_`, then letters, digits and
 * `_`, and no function or constant.
 */
export function checkVariableName(name: string): void {
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    const rule = "a letter or _, then letters, digits or _";
    throw new MinikeyError(
      "BAD_REQUEST",
      `${shorten(JSON.stringify(name), SHOWN_LENGTH_MAX)} is no name of a variable: ${rule}`,
    );
  }
  const known = name.toLowerCase();
  if (CONSTANTS.has(known) || functionIndex(known) >= 0) {
    const kind = CONSTANTS.has(known) ? "constant" : "function";
    throw new MinikeyError("BAD_REQUEST", `${name} is a ${kind}: give the variable another name`);
  }
}

const functionIndex = (name: string): number => FUNCTIONS.findIndex((one) => one.name === name);

const EXACT_MAX = 2 ** 53;
const NUMBER_PARTS = /^-?0*(\d*)\.?(\d*)/;
/** `toExponential` gives so many at most. */
const DIGITS_MAX = 101;

/**
 * Whether `value`, the double next to the number in `text`, has every digit that is written there. Only asked from
 * 2^53 on, where doubles no longer have all whole numbers; below, they are as near as doubles are.
 *
 *     9007199254740993   9007199254740993.0   9.007199254740993e15    no: the double is …992
 *     9007199254740994   6.02214076e23        1e23                    yes: rounded to as many digits, it is the same
 */
export function isExactNumber(text: string, value: number): boolean {
  const size = Math.abs(value);
  if (size < EXACT_MAX) return true;
  const [, whole = "", fraction = ""] = NUMBER_PARTS.exec(text) ?? [];
  const written = whole === "" ? fraction.replace(/^0+/, "") : whole + fraction;
  if (written.length <= DIGITS_MAX) {
    return (
      size
        .toExponential(written.length - 1)
        .split("e", 1)[0]
        .replace(".", "") === written
    );
  }
  return withoutZeros(written) === withoutZeros(BigInt(size).toString());
}

/** Without those at the end. */
function withoutZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}

export interface Variable {
  readonly name: string;
  /** Where it first comes in the text, from 1. */
  readonly column: number;
}

export class Formula {
  readonly text: string;
  /** Each once, in the order in which they first come. */
  readonly variables: readonly Variable[];
  /** Of the variables. */
  readonly names: ReadonlySet<string>;
  readonly #program: readonly number[];
  readonly #constants: readonly number[];
  /** Evaluation calls nobody who could evaluate, so one is enough. */
  readonly #stack: Float64Array;

  constructor(
    text: string,
    variables: readonly Variable[],
    program: readonly number[],
    constants: readonly number[],
  ) {
    this.text = text;
    this.variables = variables;
    this.names = new Set(variables.map((variable) => variable.name));
    this.#program = program;
    this.#constants = constants;
    this.#stack = new Float64Array(stackSize(program));
  }

  /** What it keeps in memory, about. */
  get sizeBytes(): number {
    const numbers = this.#program.length + this.#constants.length + this.#stack.length;
    return 512 + 2 * this.text.length + 8 * numbers + 96 * this.variables.length;
  }

  /** `values` are finite, in the order of `variables`. A finite number, or throws `COMPUTE_ERROR`. */
  evaluate(values: readonly number[], unit: AngleUnit): number {
    const program = this.#program;
    const stack = this.#stack;
    let top = -1;
    for (let at = 0; at < program.length; at += 1) {
      const instruction = program[at];
      if (instruction === CONSTANT || instruction === VARIABLE) {
        at += 1;
        top += 1;
        stack[top] = instruction === CONSTANT ? this.#constants[program[at]] : values[program[at]];
      } else if (instruction === NEGATE) {
        stack[top] = -stack[top];
      } else if (instruction === CALL) {
        const count = program[at + 2];
        top -= count - 1;
        stack[top] = FUNCTIONS[program[at + 1]].apply(stack, top, count, unit);
        at += 2;
      } else {
        top -= 1;
        stack[top] = operate(instruction, stack[top], stack[top + 1]);
      }
    }
    // Zero has no sign for those who compute.
    return stack[0] + 0;
  }
}

function operate(instruction: number, a: number, b: number): number {
  switch (instruction) {
    case ADD:
      return add(a, b);
    case SUBTRACT:
      return subtract(a, b);
    case MULTIPLY:
      return multiply(a, b);
    case DIVIDE:
      return divide(a, b);
    default:
      return power(a, b);
  }
}

/** The most numbers that wait on the stack at once. */
function stackSize(program: readonly number[]): number {
  let size = 0;
  let most = 0;
  for (let at = 0; at < program.length; at += 1) {
    const instruction = program[at];
    if (instruction === CONSTANT || instruction === VARIABLE) {
      at += 1;
      size += 1;
    } else if (instruction === CALL) {
      size -= program[at + 2] - 1;
      at += 2;
    } else if (instruction !== NEGATE) {
      size -= 1;
    }
    most = Math.max(most, size);
  }
  return most;
}

class Compiler {
  readonly #text: string;
  readonly #variables: Variable[] = [];
  readonly #program: number[] = [];
  readonly #constants: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  compile(): Formula {
    this.#emit(parseFormula(this.#text));
    return new Formula(this.#text, this.#variables, this.#program, this.#constants);
  }

  /** A long sum is a tree that is deep on its left: there it goes down in a loop, elsewhere nesting is bounded. */
  #emit(expression: Expression): void {
    const operations: BinaryNode[] = [];
    let node = expression as CoreExpression;
    while (node.type === "BinaryExpression") {
      operations.push(node);
      node = node.left as CoreExpression;
    }
    this.#emitToken(node);
    for (const operation of operations.toReversed()) {
      this.#emit(operation.right);
      this.#program.push(OPERATORS[operation.operator]);
    }
  }

  #emitToken(node: CoreExpression): void {
    switch (node.type) {
      case "Literal":
        this.#emitNumber(node);
        break;
      case "Identifier":
        this.#emitName(node);
        break;
      case "UnaryExpression":
        this.#emit(node.argument);
        if (node.operator === "-") this.#program.push(NEGATE);
        break;
      case "CallExpression":
        this.#emitCall(node, node.callee as CoreExpression, node.arguments);
        break;
      case "ArrayExpression":
      case "BinaryExpression":
      case "Compound":
      case "ConditionalExpression":
      case "MemberExpression":
      case "SequenceExpression":
      case "ThisExpression":
        throw this.#refuse(node, "has no place in a formula");
    }
  }

  #emitNumber(literal: Literal): void {
    const { raw } = literal;
    const value = Number(literal.value);
    if (!Number.isFinite(value)) throw this.#refuse(literal, "is too large for a number");
    if (!isExactNumber(raw, value)) throw this.#refuse(literal, "is beyond 2^53 and would lose digits");
    this.#emitConstant(value);
  }

  #emitName(node: Identifier): void {
    const { name } = node;
    const constant = CONSTANTS.get(name.toLowerCase());
    if (constant !== undefined) {
      this.#emitConstant(constant);
      return;
    }
    if (functionIndex(name.toLowerCase()) >= 0) throw this.#refuse(node, 'is a function: "(" must follow');
    const known = this.#variables.findIndex((variable) => variable.name === name);
    const column = (node as Identifier & Placed).start + 1;
    this.#program.push(VARIABLE, known >= 0 ? known : this.#variables.push({ name, column }) - 1);
  }

  #emitConstant(value: number): void {
    const known = this.#constants.indexOf(value);
    this.#program.push(CONSTANT, known >= 0 ? known : this.#constants.push(value) - 1);
  }

  #emitCall(node: Expression, callee: CoreExpression, sums: readonly Expression[]): void {
    const index = callee.type === "Identifier" ? functionIndex(callee.name.toLowerCase()) : -1;
    if (index < 0) {
      const advice = callee.type === "Identifier" ? `there are ${FUNCTION_NAMES}` : "write * to multiply";
      throw this.#refuse(node, `calls no function: ${advice}`);
    }
    const { name, isVariadic } = FUNCTIONS[index];
    if (sums.length === 0 || (sums.length > 1 && !isVariadic)) {
      throw this.#refuse(node, `does not fit: ${name} takes ${isVariadic ? "numbers" : "one number"}`);
    }
    for (const sum of sums) this.#emit(sum);
    this.#program.push(CALL, index, sums.length);
  }

  #refuse(node: Expression, why: string): MinikeyError {
    const { start, end } = node as Expression & Placed;
    return badFormula(
      `${shorten(this.#text.slice(start, end).trim(), SHOWN_LENGTH_MAX)} at column ${start + 1} ${why}`,
    );
  }
}

interface BinaryNode extends Expression {
  readonly operator: string;
  readonly left: Expression;
  readonly right: Expression;
}

const FUNCTION_NAMES = FUNCTIONS.map((one) => one.name).join(" ");
/** Characters of the formula that an error repeats. */
const SHOWN_LENGTH_MAX = 40;
