/**
 * A document's JSON text from JavaScript's values, and what of these JSON cannot hold. `JSON.stringify` would make
 * null of NaN, leave out a function and make `{}` of a Map; here each is refused by its place: `a.b[2] is NaN`.
 *
 * As with `JSON.stringify`, an object's field that is undefined is left out, `toJSON` is asked, and half of a
 * surrogate pair in a text or name is kept as its escape.
 */
import { types } from "node:util";
import { JSON_DEPTH_MAX } from "../codec/json-text.js";
import { MinikeyError } from "../core/errors.js";
import { shorten } from "../core/text.js";

/** Compact JSON. Throws `BAD_REQUEST` for what JSON cannot hold. */
export function documentText(value: unknown): string {
  let text: string | undefined;
  try {
    const fault = faultOf(asJsonTakesIt(value, ""), 0);
    if (fault !== undefined) throw new MinikeyError("BAD_REQUEST", messageOf(fault));
    text = JSON.stringify(value) as string | undefined;
  } catch (error) {
    if (error instanceof MinikeyError) throw error;
    // Whatever a toJSON throws.
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    throw new MinikeyError("BAD_REQUEST", `not a JSON value: ${reason}`, { cause: error });
  }
  if (text === undefined) throw new MinikeyError("BAD_REQUEST", `not a JSON value: ${typeof value}`);
  return text;
}

/** What is wrong, and the names and positions on the way to it, the innermost first. */
interface Fault {
  readonly what: string;
  readonly way: (string | number)[];
}

const NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;
const SHOWN_MAX = 200;

function messageOf({ what, way }: Fault): string {
  if (way.length === 0) return `not a JSON value: the value ${what}`;
  let path = "";
  for (const step of way.toReversed()) {
    if (typeof step === "number") path += `[${step}]`;
    else if (!NAME.test(step)) path += `[${JSON.stringify(step)}]`;
    else path += path === "" ? step : `.${step}`;
  }
  return `not a JSON value: ${shorten(path, SHOWN_MAX)} ${what}`;
}

/** Of a value as JSON takes it, which is in `depth` objects and lists. */
function faultOf(value: unknown, depth: number): Fault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : fault(`is ${value}: JSON has no such number`);
    case "bigint":
      return fault("is a bigint: JSON numbers are made of numbers");
    case "undefined":
      return fault("is undefined");
    case "function":
    case "symbol":
      return fault(`is a ${typeof value}`);
    case "object":
      return value === null ? undefined : faultIn(value, depth);
  }
}

const fault = (what: string): Fault => ({ what, way: [] });

/** What `JSON.stringify` writes in its place. `name` is where the value lies in its object or list, for `toJSON`. */
function asJsonTakesIt(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { toJSON } = value as { toJSON?: unknown };
  const taken = typeof toJSON === "function" ? (toJSON.call(value, name) as unknown) : value;
  return types.isBoxedPrimitive(taken) ? taken.valueOf() : taken;
}

function faultIn(value: object, depth: number): Fault | undefined {
  if (depth === JSON_DEPTH_MAX) return fault(`is nested more than ${JSON_DEPTH_MAX} deep, or holds itself`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      const found = faultOf(asJsonTakesIt(value[i], String(i)), depth + 1);
      if (found !== undefined) return onTheWay(found, i);
    }
    return undefined;
  }
  const names = Object.keys(value);
  if (value instanceof Map || value instanceof Set || (names.length === 0 && !isPlain(value))) {
    return fault(`is ${withArticle(kindOf(value))}, of which JSON would keep nothing`);
  }
  for (const name of names) {
    const member = asJsonTakesIt((value as Readonly<Record<string, unknown>>)[name], name);
    if (member === undefined) continue;
    const found = faultOf(member, depth + 1);
    if (found !== undefined) return onTheWay(found, name);
  }
  return undefined;
}

/** Whether the object is of no class, in whatever realm it was made: what it holds are its fields. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** `RegExp`, `Map`, the name of a class. */
function kindOf(value: object): string {
  const { constructor } = value as { readonly constructor?: { readonly name?: unknown } };
  const name = constructor?.name;
  return typeof name === "string" && name !== "" ? name : Object.prototype.toString.call(value).slice(8, -1);
}

const withArticle = (noun: string): string => `${/^[AEIOU]/i.test(noun) ? "an" : "a"} ${noun}`;

function onTheWay(found: Fault, step: string | number): Fault {
  found.way.push(step);
  return found;
}
