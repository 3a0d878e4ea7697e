/**
 * The JSON object that a request carries, member by member, in the bytes that were sent: unknown and repeated
 * members are refused by name, a document keeps its text, and nothing here can touch a prototype.
 */
import { isUtf8 } from "node:buffer";
import { assert } from "../../core/assert.js";
import { type Bytes, utf8ToBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { shorten } from "../../core/text.js";
import { type JsonKind, JsonScanner, type JsonSpan } from "./json-scanner.js";
import { nextTurn } from "./next-turn.js";
import { invalidUtf8At } from "./text.js";

/** Bytes scanned before the event loop gets its turn: a few milliseconds' work. */
const SCAN_SLICE_BYTES = 1_048_576;
/** Characters of a value that an error repeats. */
const SHOWN_LENGTH_MAX = 60;

const WITH_ARTICLE: Record<JsonKind, string> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  null: "null",
  object: "an object",
  array: "an array",
};

/** Reads a request's body, which is changed in place. Rejects with `BAD_REQUEST` that says what is wrong where. */
export async function readJsonObject(body: Bytes, known: readonly string[]): Promise<JsonObject> {
  if (!isUtf8(body)) {
    throw new MinikeyError("BAD_REQUEST", `the body is not valid UTF-8 at byte ${invalidUtf8At(body)}`);
  }
  const scanner = new JsonScanner(body);
  while (!scanner.scan(SCAN_SLICE_BYTES)) await nextTurn();
  if (scanner.rootKind !== "object") {
    const got = WITH_ARTICLE[scanner.rootKind ?? "null"];
    throw new MinikeyError("BAD_REQUEST", `expected a JSON object with ${listed(known)}, got ${got}`);
  }
  const members = new Map<string, JsonSpan>();
  for (const { name: span, value } of scanner.members) {
    const name = decodeString(body, span);
    if (!known.includes(name)) {
      throw new MinikeyError(
        "BAD_REQUEST",
        `unknown member ${JSON.stringify(name)}: expected ${listed(known)}`,
      );
    }
    if (members.has(name)) throw new MinikeyError("BAD_REQUEST", `member "${name}" is given twice`);
    members.set(name, value);
  }
  return new JsonObject(body, members);
}

/** `"a", "b" and "c"` */
const listed = (names: readonly string[]): string =>
  new Intl.ListFormat("en-GB").format(names.map((name) => `"${name}"`));

export class JsonObject {
  readonly #text: Bytes;
  readonly #members: ReadonlyMap<string, JsonSpan>;

  constructor(text: Bytes, members: ReadonlyMap<string, JsonSpan>) {
    this.#text = text;
    this.#members = members;
  }

  kind(name: string): JsonKind | undefined {
    return this.#members.get(name)?.kind;
  }

  /** The member's compact JSON text. A view of the body. The member exists. */
  json(name: string): Bytes {
    const span = this.#members.get(name)!;
    return this.#text.subarray(span.start, span.end);
  }

  /** The UTF-8 bytes of a member that is a string. Rejects a lone surrogate: it has no UTF-8 form. */
  stringBytes(name: string): Bytes {
    const span = this.#members.get(name)!;
    if (!span.escaped) return this.#text.subarray(span.start + 1, span.end - 1);
    const text = decodeString(this.#text, span);
    if (/\p{Surrogate}/u.test(text)) {
      throw new MinikeyError("BAD_REQUEST", `"${name}" holds half of a surrogate pair, which UTF-8 cannot`);
    }
    return utf8ToBytes(text);
  }

  /** Undefined when missing; `BAD_REQUEST` when not a string. */
  string(name: string): string | undefined {
    const span = this.#members.get(name);
    if (span === undefined) return undefined;
    if (span.kind !== "string") throw this.#wrong(name, "a string");
    return decodeString(this.#text, span);
  }

  /** The members of a member that is an object of strings. Undefined when missing; `BAD_REQUEST` for anything else. */
  strings(name: string): (readonly [name: string, value: string])[] | undefined {
    const span = this.#members.get(name);
    if (span === undefined) return undefined;
    if (span.kind !== "object") throw this.#wrong(name, "an object");
    const text = this.json(name);
    const scanner = new JsonScanner(text);
    assert(scanner.scan(text.length), "a member is read in one go");
    const inner = new Map<string, JsonSpan>();
    for (const member of scanner.members) {
      const key = decodeString(text, member.name);
      if (inner.has(key))
        throw new MinikeyError("BAD_REQUEST", `"${name}": ${JSON.stringify(key)} is given twice`);
      inner.set(key, member.value);
    }
    const members = new JsonObject(text, inner);
    return [...inner.keys()].map((key) => {
      if (members.kind(key) === "string") return [key, members.stringBytes(key).utf8Slice()] as const;
      throw members.#wrong(key, "a string");
    });
  }

  /** Undefined when missing; `BAD_REQUEST` when not one of `choices`. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const choice = choices.find((one) => one === text);
    if (choice === undefined) throw this.#wrong(name, choices.map((one) => `"${one}"`).join(" or "));
    return choice;
  }

  /** Undefined when missing; `BAD_REQUEST` when not a number. May be infinite: JSON has no bounds. */
  number(name: string): number | undefined {
    const span = this.#members.get(name);
    if (span === undefined) return undefined;
    if (span.kind !== "number") throw this.#wrong(name, "a number");
    return Number(this.json(name).latin1Slice());
  }

  /** Undefined when missing; `BAD_REQUEST` when not a whole number of at least 1. */
  count(name: string): number | undefined {
    const value = this.number(name);
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw this.#wrong(name, "a whole number of at least 1");
    }
    return value;
  }

  #wrong(name: string, expected: string): MinikeyError {
    const shown = shorten(this.json(name).utf8Slice(), SHOWN_LENGTH_MAX);
    return new MinikeyError("BAD_REQUEST", `"${name}": expected ${expected}, got ${shown}`);
  }
}

function decodeString(text: Bytes, span: JsonSpan): string {
  return span.escaped
    ? (JSON.parse(text.utf8Slice(span.start, span.end)) as string)
    : text.utf8Slice(span.start + 1, span.end - 1);
}
