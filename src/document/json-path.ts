/**
 * Paths as the `JSON.*` commands take them: JSONPath as RedisJSON has it, and its older, "legacy" form.
 *
 *     $.store.book[0].title    $["a.b"]    $.tags[-1]    $.tags[1:3]    $..price    $.*    $.book[?(@.price < 10)]
 *     .store.book[0].title     store.book  .             (legacy: the same without `$`, `.` for the whole)
 *
 * A path of the first kind stands for all that it matches, so that its replies are lists; a legacy path for one value.
 * Source: RedisJSON's documentation of its path syntax; RFC 9535 where that is silent.
 */
import { utf8Length } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { FieldName } from "./field-name.js";
import { type Filter, parseFilter } from "./json-filter.js";
import { PATH_BYTES_MAX, PATH_SEGMENTS_MAX } from "./key-path.js";
import { TextCursor } from "./text-cursor.js";

export type Selector =
  | { readonly kind: "all" }
  | { readonly kind: "names"; readonly names: readonly FieldName[] }
  /** Below 0: from the end. */
  | { readonly kind: "positions"; readonly positions: readonly number[] }
  | { readonly kind: "slice"; readonly from: number; readonly to: number; readonly step: number }
  | { readonly kind: "filter"; readonly filter: Filter };

export interface Step {
  readonly selector: Selector;
  /** `..`: applied to the value and to everything in it. */
  readonly isRecursive: boolean;
}

export interface JsonPath {
  readonly text: string;
  readonly isLegacy: boolean;
  /** None: the whole document. */
  readonly steps: readonly Step[];
}

export const LEGACY_ROOT: JsonPath = { text: ".", isLegacy: true, steps: [] };

/** Throws `BAD_REQUEST` that says what is wrong at which column. */
export function parseJsonPath(text: string): JsonPath {
  const sizeBytes = utf8Length(text);
  if (sizeBytes > PATH_BYTES_MAX) {
    throw new MinikeyError("BAD_REQUEST", `the path has ${sizeBytes} bytes: ${PATH_BYTES_MAX} are the most`);
  }
  const isLegacy = !/^\$(?:$|[.[])/.test(text);
  const cursor = new TextCursor(text, "path");
  if (text === ".") return LEGACY_ROOT;
  let steps: Step[];
  if (!isLegacy) {
    cursor.take("$");
    steps = parseSteps(cursor);
  } else if (text.startsWith(".") || text.startsWith("[")) {
    steps = parseSteps(cursor);
  } else {
    steps = [dotted(cursor, false), ...parseSteps(cursor)];
  }
  if (!cursor.isAtEnd) throw cursor.error("expected . or [ or the end");
  return { text, isLegacy, steps };
}

/** Whether the path names one place: no `*`, `..`, slice, union or filter. */
export function isSinglePlace(path: JsonPath): boolean {
  return path.steps.every(
    ({ selector, isRecursive }) =>
      !isRecursive &&
      ((selector.kind === "names" && selector.names.length === 1) ||
        (selector.kind === "positions" && selector.positions.length === 1)),
  );
}

/** The steps from here on, as many as there are; `filters` is how many filters they are in. */
export function parseSteps(cursor: TextCursor, filters = 0): Step[] {
  const steps: Step[] = [];
  for (;;) {
    if (steps.length > PATH_SEGMENTS_MAX) throw cursor.error(`more than ${PATH_SEGMENTS_MAX} steps`);
    if (cursor.take("..")) {
      steps.push(
        cursor.take("[") ? { selector: bracket(cursor, filters), isRecursive: true } : dotted(cursor, true),
      );
    } else if (cursor.take(".[") || cursor.take("[")) {
      steps.push({ selector: bracket(cursor, filters), isRecursive: false });
    } else if (cursor.take(".")) {
      steps.push(dotted(cursor, false));
    } else {
      return steps;
    }
  }
}

/** A name without quotes: it ends where something else in a path or filter may begin. */
const NAME = /[^\s.[\]()*'",?@&|=<>!~\\]+/y;

function dotted(cursor: TextCursor, isRecursive: boolean): Step {
  if (cursor.take("*")) return { selector: { kind: "all" }, isRecursive };
  const name = cursor.match(NAME);
  if (name === undefined) throw cursor.error("expected a name or *");
  return { selector: { kind: "names", names: [new FieldName(name)] }, isRecursive };
}

/** What stands between `[`, which is behind, and `]`. */
function bracket(cursor: TextCursor, filters: number): Selector {
  cursor.skipSpace();
  let selector: Selector;
  if (cursor.take("*")) {
    selector = { kind: "all" };
  } else if (cursor.take("?")) {
    selector = { kind: "filter", filter: parseFilter(cursor, filters + 1) };
  } else if (/["']/.test(cursor.text[cursor.at] ?? "")) {
    const names = listed(cursor, () => new FieldName(quoted(cursor)));
    selector = { kind: "names", names };
  } else {
    selector = numbers(cursor);
  }
  cursor.expect("]");
  return selector;
}

function listed<Item>(cursor: TextCursor, one: () => Item): Item[] {
  const items = [one()];
  for (;;) {
    cursor.skipSpace();
    if (!cursor.take(",")) return items;
    cursor.skipSpace();
    items.push(one());
  }
}

const INTEGER = /-?\d{1,15}/y;

function numbers(cursor: TextCursor): Selector {
  const first = cursor.match(INTEGER);
  cursor.skipSpace();
  if (!cursor.take(":")) {
    if (first === undefined) throw cursor.error("expected a position, a name in quotes, *, or ?");
    const rest = cursor.take(",") ? listedIntegers(cursor) : [];
    return { kind: "positions", positions: [Number(first), ...rest] };
  }
  const to = optionalInteger(cursor);
  const step = cursor.take(":") ? optionalInteger(cursor) : undefined;
  if (step !== undefined && step <= 0) throw cursor.error("the step of a slice is above 0");
  return {
    kind: "slice",
    from: first === undefined ? 0 : Number(first),
    to: to ?? Number.POSITIVE_INFINITY,
    step: step ?? 1,
  };
}

function listedIntegers(cursor: TextCursor): number[] {
  cursor.skipSpace();
  return listed(cursor, () => {
    const integer = cursor.match(INTEGER);
    if (integer === undefined) throw cursor.error("expected a position");
    return Number(integer);
  });
}

function optionalInteger(cursor: TextCursor): number | undefined {
  cursor.skipSpace();
  const integer = cursor.match(INTEGER);
  cursor.skipSpace();
  return integer === undefined ? undefined : Number(integer);
}

const DOUBLE_QUOTED = /"(?:[^"\\]|\\.)*"/y;
const SINGLE_QUOTED = /'(?:[^'\\]|\\.)*'/y;

/** The text in quotes of either kind; its escapes are JSON's, and `\'`. */
export function quoted(cursor: TextCursor): string {
  const start = cursor.at;
  const double = cursor.match(DOUBLE_QUOTED);
  const single = double === undefined ? cursor.match(SINGLE_QUOTED) : undefined;
  if (double === undefined && single === undefined) throw cursor.error("the quotes are not closed");
  try {
    return JSON.parse(double ?? singleAsDouble(single ?? "")) as string;
  } catch {
    throw cursor.error("the quotes hold an escape or a character that JSON has not", start);
  }
}

/** `'say \'hi\' "x"'` as `"say 'hi' \"x\""` */
function singleAsDouble(single: string): string {
  const inner = single.slice(1, -1).replaceAll(/\\.|"/g, (part) => {
    if (part === '"') return '\\"';
    return part === "\\'" ? "'" : part;
  });
  return `"${inner}"`;
}
