/**
 * The places in a document that a JSONPath matches, found by walking over its text.
 *
 * The order is that of RedisJSON: of a `..`, first what matches in a value itself, then in what lies deeper; else the
 * order of the document, or that in which a union lists names or positions. A place may be matched twice.
 */
import type { Bytes } from "../core/bytes.js";
import { decodeString } from "./field-name.js";
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  kindAt,
  OPEN_BRACE,
  OPEN_BRACKET,
  parseStored,
  skipString,
  skipValue,
} from "./json-bytes.js";
import { isEqualJson } from "./json-equal.js";
import type { Comparison, Filter, Operand } from "./json-filter.js";
import type { JsonPath, Selector, Step } from "./json-path.js";
import { DocumentWork } from "./json-work.js";
import { elementAt, fieldAt } from "./lookup.js";

/** A value in a document: `[start, end)`; a field of an object begins with its name, at `memberStart`. */
export interface Place {
  readonly memberStart: number;
  readonly start: number;
  readonly end: number;
  /** How many objects and lists it is in. */
  readonly depth: number;
}

/**
 * What `path` matches in the document `bytes[start, end)`. Throws `BAD_REQUEST` for more than `work` allows, in which
 * what it gives back is counted too: whoever reads or copies each match once does no more than was allowed.
 */
export function selectPlaces(
  bytes: Bytes,
  start: number,
  end: number,
  path: JsonPath,
  work = new DocumentWork(end - start),
): Place[] {
  const root: Place = { memberStart: start, start, end, depth: 0 };
  const places = new Selection(bytes, root, work).select(root, path.steps);
  for (const place of places) work.pass(place.end - place.start);
  return places;
}

class Selection {
  readonly #bytes: Bytes;
  readonly #root: Place;
  readonly #work: DocumentWork;
  /** What paths from the root lead to in filters: the same for every element that is asked about. */
  readonly #rootPlaces = new Map<Operand, readonly Place[]>();
  readonly #rootValues = new Map<Operand, readonly Value[]>();

  constructor(bytes: Bytes, root: Place, work: DocumentWork) {
    this.#bytes = bytes;
    this.#root = root;
    this.#work = work;
  }

  select(from: Place, steps: readonly Step[]): Place[] {
    let places = [from];
    for (const step of steps) {
      const next: Place[] = [];
      for (const place of places) {
        if (step.isRecursive) {
          this.#work.pass(place.end - place.start);
          const selected: Place[][] = [];
          this.#descend(place.start, place.end, place.depth, step.selector, selected);
          for (const some of selected) for (const match of some) next.push(match);
        } else this.#apply(place, step.selector, next);
      }
      places = next;
    }
    return places;
  }

  /** What `selector` selects among the members of `place`. Looks no further than it has to. */
  #apply(place: Place, selector: Selector, out: Place[]): void {
    const bytes = this.#bytes;
    const { start, end } = place;
    const opener = bytes[start];
    if (opener !== OPEN_BRACE && opener !== OPEN_BRACKET) return;
    this.#work.visit(1);
    if (selector.kind === "names") {
      if (opener !== OPEN_BRACE) return;
      for (const name of selector.names) {
        const field = fieldAt(bytes, start, end, name);
        this.#look(place, field < 0 ? undefined : this.#field(field, end, place.depth + 1), out);
      }
    } else if (selector.kind === "positions" && selector.positions.every((position) => position >= 0)) {
      if (opener !== OPEN_BRACKET) return;
      for (const position of selector.positions) {
        const element = elementAt(bytes, start, end, position);
        this.#look(place, element < 0 ? undefined : this.#element(element, end, place.depth + 1), out);
      }
    } else {
      this.#choose(selector, opener === OPEN_BRACE, this.#members(place), out);
    }
  }

  /** Counts the way through `place` to the end of one of its members, or of itself when it has no such member. */
  #look(place: Place, member: Place | undefined, out: Place[]): void {
    this.#work.visit(1);
    this.#work.pass((member?.end ?? place.end) - place.start);
    if (member !== undefined) out.push(member);
  }

  #field(at: number, end: number, depth: number): Place {
    const start = skipString(this.#bytes, at, end) + 1;
    return { memberStart: at, start, end: skipValue(this.#bytes, start, end), depth };
  }

  #element(start: number, end: number, depth: number): Place {
    return { memberStart: start, start, end: skipValue(this.#bytes, start, end), depth };
  }

  /** The fields or elements of an object or list, in order. */
  #members({ start, end, depth }: Place): Place[] {
    const bytes = this.#bytes;
    const members: Place[] = [];
    let at = start + 1;
    this.#work.pass(end - start);
    if (isCloser(bytes[at])) return members;
    for (;;) {
      this.#work.visit(1);
      const member =
        bytes[start] === OPEN_BRACE ? this.#field(at, end, depth + 1) : this.#element(at, end, depth + 1);
      members.push(member);
      if (bytes[member.end] !== COMMA) return members;
      at = member.end + 1;
    }
  }

  /**
   * As {@link #apply}, for the value at `start` and for all that lies in it, an item of `out` for each object and
   * list; returns where the value ends. Every byte is passed once, however deep: what is deeper tells where it ends.
   */
  #descend(start: number, end: number, depth: number, selector: Selector, out: Place[][]): number {
    const bytes = this.#bytes;
    const opener = bytes[start];
    if (opener !== OPEN_BRACE && opener !== OPEN_BRACKET) return skipValue(bytes, start, end);
    const members: Place[] = [];
    // What matches here comes before what matches deeper, and is known after it.
    const selected: Place[] = [];
    out.push(selected);
    let at = start + 1;
    while (!isCloser(bytes[at])) {
      this.#work.visit(1);
      const memberStart = at;
      const valueStart = opener === OPEN_BRACE ? skipString(bytes, at, end) + 1 : at;
      const valueEnd = this.#descend(valueStart, end, depth + 1, selector, out);
      members.push({ memberStart, start: valueStart, end: valueEnd, depth: depth + 1 });
      at = bytes[valueEnd] === COMMA ? valueEnd + 1 : valueEnd;
    }
    this.#choose(selector, opener === OPEN_BRACE, members, selected);
    return at + 1;
  }

  #choose(selector: Selector, isObject: boolean, members: readonly Place[], out: Place[]): void {
    switch (selector.kind) {
      case "all":
        for (const member of members) out.push(member);
        return;
      case "names":
        if (!isObject) return;
        for (const name of selector.names) {
          this.#work.visit(members.length);
          const member = members.find(({ memberStart, start }) =>
            name.matches(this.#bytes, memberStart, start - 1),
          );
          if (member !== undefined) out.push(member);
        }
        return;
      case "positions":
        if (isObject) return;
        this.#work.visit(selector.positions.length);
        for (const position of selector.positions) {
          const member = members.at(position);
          if (member !== undefined) out.push(member);
        }
        return;
      case "slice":
        if (!isObject) pushSlice(selector, members, out);
        return;
      case "filter":
        for (const member of members) if (this.#satisfies(selector.filter, member)) out.push(member);
    }
  }

  // --- Filters ---

  #satisfies(filter: Filter, place: Place): boolean {
    this.#work.visit(1);
    switch (filter.kind) {
      case "or":
        return filter.parts.some((part) => this.#satisfies(part, place));
      case "and":
        return filter.parts.every((part) => this.#satisfies(part, place));
      case "not":
        return !this.#satisfies(filter.part, place);
      case "exists":
        return this.#exists(filter.operand, place);
      case "compare":
        return this.#compare(
          filter.by,
          this.#valuesOf(filter.left, place),
          this.#valuesOf(filter.right, place),
        );
    }
  }

  #exists(operand: Operand, place: Place): boolean {
    if (operand.kind === "value") return operand.value !== false && operand.value !== null;
    return this.#placesOf(operand, place).length > 0;
  }

  #placesOf(operand: Operand & { kind: "path" }, place: Place): readonly Place[] {
    if (!operand.isFromRoot) return this.select(place, operand.path.steps);
    let places = this.#rootPlaces.get(operand);
    if (places === undefined) {
      places = this.select(this.#root, operand.path.steps);
      this.#rootPlaces.set(operand, places);
    }
    return places;
  }

  /** True when any value of the left side compares so with any of the right; `!=` when none is equal. */
  #compare(by: Comparison, lefts: readonly Value[], rights: readonly Value[]): boolean {
    if (by === "!=") return !this.#compare("==", lefts, rights);
    for (const left of lefts) {
      for (const right of rights) {
        this.#work.visit(1);
        this.#work.pass(Math.min(sizeOf(left), sizeOf(right)));
        if (compare(by, left, right)) return true;
      }
    }
    return false;
  }

  #valuesOf(operand: Operand, place: Place): readonly Value[] {
    if (operand.kind === "value") return [operand.value];
    const known = this.#rootValues.get(operand);
    if (known !== undefined) return known;
    const values = this.#placesOf(operand, place).map(({ start, end }) => this.#valueAt(start, end));
    if (operand.isFromRoot) this.#rootValues.set(operand, values);
    return values;
  }

  #valueAt(start: number, end: number): Value {
    this.#work.pass(end - start);
    this.#work.visit(VALUE_PLACES);
    switch (kindAt(this.#bytes, start)) {
      case "text":
        return decodeString(this.#bytes, start, end);
      case "number":
        return Number(this.#bytes.latin1Slice(start, end));
      case "boolean":
        return end - start === "true".length;
      case "null":
        return null;
      case "object":
      case "array":
        return new Container(parseStored(this.#bytes, start, end), end - start);
    }
  }
}

/** Reading a value takes as long as looking at so many places. */
const VALUE_PLACES = 3;

const isCloser = (byte: number): boolean => byte === CLOSE_BRACE || byte === CLOSE_BRACKET;

function pushSlice(
  { from, to, step }: { from: number; to: number; step: number },
  members: readonly Place[],
  out: Place[],
): void {
  const count = members.length;
  const first = from < 0 ? Math.max(count + from, 0) : from;
  const last = Math.min(to < 0 ? count + to : to, count);
  for (let i = first; i < last; i += step) out.push(members[i]);
}

/** What is compared: an object or list only for being equal. */
type Value = string | number | boolean | null | Container;

class Container {
  readonly value: unknown;
  readonly sizeBytes: number;
  constructor(value: unknown, sizeBytes: number) {
    this.value = value;
    this.sizeBytes = sizeBytes;
  }
}

/** What comparing with it may cost. */
function sizeOf(value: Value): number {
  if (typeof value === "string") return value.length;
  return value instanceof Container ? value.sizeBytes : 0;
}

function compare(by: Exclude<Comparison, "!=">, left: Value, right: Value): boolean {
  switch (by) {
    case "==":
      return isEqual(left, right);
    case "<":
      return isBefore(left, right);
    case ">":
      return isBefore(right, left);
    case "<=":
      return isBefore(left, right) || (isOrdered(left) && isEqual(left, right));
    case ">=":
      return isBefore(right, left) || (isOrdered(left) && isEqual(left, right));
  }
}

const isOrdered = (value: Value): boolean => typeof value === "number" || typeof value === "string";

function isEqual(left: Value, right: Value): boolean {
  if (left instanceof Container && right instanceof Container) {
    return isEqualJson(left.value, right.value);
  }
  return left === right;
}

function isBefore(left: Value, right: Value): boolean {
  if (typeof left === "number" && typeof right === "number") return left < right;
  return typeof left === "string" && typeof right === "string" && left < right;
}
