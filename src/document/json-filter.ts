/**
 * Filters of JSONPath: `?(@.price < 10 && !(@.sold == true))`, what an element or field must satisfy to be selected.
 *
 *     filter     := both { "||" both }
 *     both       := one { "&&" one }
 *     one        := "!" one | "(" filter ")" | operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand ]
 *     operand    := "@" path | "$" path | number | string | true | false | null
 *
 * A path alone asks whether it leads to anything; in a comparison any value that it leads to will do (and for `!=`
 * none may be equal). Numbers are compared as doubles and strings by their characters; values of different kinds are
 * unequal and in no order.
 */
import { NUMBER } from "./json-number.js";
import { type JsonPath, parseSteps, quoted } from "./json-path.js";
import type { TextCursor } from "./text-cursor.js";

export type Comparison = "==" | "!=" | "<=" | ">=" | "<" | ">";

export type Operand =
  | { readonly kind: "path"; readonly isFromRoot: boolean; readonly path: JsonPath }
  | { readonly kind: "value"; readonly value: string | number | boolean | null };

export type Filter =
  | { readonly kind: "or" | "and"; readonly parts: readonly Filter[] }
  | { readonly kind: "not"; readonly part: Filter }
  | { readonly kind: "exists"; readonly operand: Operand }
  | { readonly kind: "compare"; readonly by: Comparison; readonly left: Operand; readonly right: Operand };

const FILTER_DEPTH_MAX = 32;
/** Filters in the paths of filters: each may walk down a whole document, and all of them at a time. */
const FILTERS_NESTED_MAX = 4;

/** Behind the `?` of the filter that is number `filters` inside another. Throws `BAD_REQUEST` that says what is wrong. */
export function parseFilter(cursor: TextCursor, filters: number): Filter {
  if (filters > FILTERS_NESTED_MAX) {
    throw cursor.error(`more than ${FILTERS_NESTED_MAX} filters inside one another`);
  }
  return either(cursor, { filters, depth: 0 });
}

/** How deep the parser is: in filters, and in parentheses and negations of the innermost one. */
interface Nesting {
  readonly filters: number;
  readonly depth: number;
}

/** One level further in. */
function deeper(cursor: TextCursor, { filters, depth }: Nesting): Nesting {
  if (depth === FILTER_DEPTH_MAX) throw cursor.error(`a filter nests ${FILTER_DEPTH_MAX} deep at most`);
  return { filters, depth: depth + 1 };
}

function either(cursor: TextCursor, nesting: Nesting): Filter {
  const parts = [both(cursor, nesting)];
  while (takeOperator(cursor, "||")) parts.push(both(cursor, nesting));
  return parts.length === 1 ? parts[0] : { kind: "or", parts };
}

function both(cursor: TextCursor, nesting: Nesting): Filter {
  const parts = [one(cursor, nesting)];
  while (takeOperator(cursor, "&&")) parts.push(one(cursor, nesting));
  return parts.length === 1 ? parts[0] : { kind: "and", parts };
}

function one(cursor: TextCursor, nesting: Nesting): Filter {
  cursor.skipSpace();
  if (cursor.text[cursor.at] === "!" && cursor.text[cursor.at + 1] !== "=") {
    cursor.take("!");
    return { kind: "not", part: one(cursor, deeper(cursor, nesting)) };
  }
  if (cursor.take("(")) {
    const filter = either(cursor, deeper(cursor, nesting));
    cursor.expect(")");
    return filter;
  }
  const left = operand(cursor, nesting);
  const by = COMPARISONS.find((comparison) => takeOperator(cursor, comparison));
  if (by !== undefined) return { kind: "compare", by, left, right: operand(cursor, nesting) };
  if (takeOperator(cursor, "=~")) throw cursor.error("filters have no regular expressions here");
  return { kind: "exists", operand: left };
}

/** The longer ones first. */
const COMPARISONS: readonly Comparison[] = ["==", "!=", "<=", ">=", "<", ">"];

function takeOperator(cursor: TextCursor, operator: string): boolean {
  cursor.skipSpace();
  return cursor.take(operator);
}

const NUMBER_HERE = new RegExp(NUMBER, "y");
const WORDS: readonly (readonly [string, boolean | null])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

function operand(cursor: TextCursor, { filters }: Nesting): Operand {
  cursor.skipSpace();
  const next = cursor.text[cursor.at];
  if (next === "@" || next === "$") {
    cursor.at += 1;
    const path: JsonPath = { text: "", isLegacy: false, steps: parseSteps(cursor, filters) };
    return { kind: "path", isFromRoot: next === "$", path };
  }
  if (next === '"' || next === "'") return { kind: "value", value: quoted(cursor) };
  for (const [word, value] of WORDS) if (cursor.take(word)) return { kind: "value", value };
  const number = cursor.match(NUMBER_HERE);
  if (number === undefined) throw cursor.error("expected @, $, a number, a string, true, false or null");
  return { kind: "value", value: Number(number) };
}
