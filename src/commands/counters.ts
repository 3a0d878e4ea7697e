/** Values that are numbers. Source: Redis 7.0, `t_string.c` (`incrDecrCommand`, `incrbyfloatCommand`). */
import { type Key, latin1ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { addInt64, type Int64, negateInt64, parseInt64 } from "../core/int64.js";
import { notAFloat, notAnInteger } from "./errors.js";
import { refusedEventually, WOULD_LOSE } from "./eventual.js";
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from "./long-double.js";
import type { Reply } from "./reply.js";
import { bytesReply, command, integerArg, ONE_KEY, stringEntry } from "./spec.js";
import type { Args, CommandSpec, KeyValueView } from "./types.js";

const FLAGS = ["write", "denyoom", "fast"] as const;
const CATEGORIES = ["@write", "@string", "@fast"] as const;

function increment(view: KeyValueView, key: Key, by: Int64): Reply {
  const entry = stringEntry(view.get(key));
  const old = entry === undefined ? 0 : parseInt64(entry.bytes, entry.start, entry.end);
  if (old === undefined) throw notAnInteger();
  const sum = addInt64(old, by);
  if (sum === undefined) throw new MinikeyError("OUT_OF_RANGE", "increment or decrement would overflow");
  if (view.increment === undefined) {
    const bytes = latin1ToBytes(String(sum));
    view.set(key, "string", bytes, 0, bytes.length, entry?.expiresAtMs ?? 0);
  } else view.increment(key, by);
  return sum;
}

function decrementArg(args: Args): Int64 {
  const by = negateInt64(integerArg(args, 2));
  if (by === undefined) throw new MinikeyError("OUT_OF_RANGE", "decrement would overflow");
  return by;
}

function longDoubleOf(parsed: LongDouble | undefined): LongDouble {
  if (parsed === undefined) throw notAFloat();
  return parsed;
}

function floatArg(args: Args): LongDouble {
  return longDoubleOf(parseLongDouble(args.bytes, args.start(2), args.end(2)));
}

function runIncrementByFloat(view: KeyValueView, args: Args): Reply {
  const key = args.key(1);
  const entry = stringEntry(view.get(key));
  const old = entry === undefined ? undefined : parseLongDouble(entry.bytes, entry.start, entry.end);
  if (entry !== undefined && old === undefined) throw notAFloat();
  const by = floatArg(args);
  const sum = old === undefined ? by : addLongDoubles(old, by);
  if (!sum.finite) throw new MinikeyError("OUT_OF_RANGE", "increment would produce NaN or Infinity");
  const bytes = latin1ToBytes(formatLongDouble(sum));
  view.set(key, "string", bytes, 0, bytes.length, entry?.expiresAtMs ?? 0);
  return bytesReply(bytes);
}

export const COUNTER_COMMANDS: readonly CommandSpec[] = [
  command({
    name: "INCR",
    opcode: 20,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: FLAGS,
    categories: CATEGORIES,
    group: "string",
    summary: "Increment the integer value of a key by one",
    run: (view, args) => increment(view, args.key(1), 1),
  }),
  command({
    name: "DECR",
    opcode: 21,
    arity: 2,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: FLAGS,
    categories: CATEGORIES,
    group: "string",
    summary: "Decrement the integer value of a key by one",
    run: (view, args) => increment(view, args.key(1), -1),
  }),
  command({
    name: "INCRBY",
    opcode: 22,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: FLAGS,
    categories: CATEGORIES,
    group: "string",
    summary: "Increment the integer value of a key by the given amount",
    check: (args) => {
      integerArg(args, 2);
    },
    run: (view, args) => increment(view, args.key(1), integerArg(args, 2)),
  }),
  command({
    name: "DECRBY",
    opcode: 23,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: "as is",
    flags: FLAGS,
    categories: CATEGORIES,
    group: "string",
    summary: "Decrement the integer value of a key by the given number",
    check: (args) => {
      decrementArg(args);
    },
    run: (view, args) => increment(view, args.key(1), decrementArg(args)),
  }),
  command({
    name: "INCRBYFLOAT",
    opcode: 24,
    arity: 3,
    keys: ONE_KEY,
    spread: "single",
    access: "write",
    eventual: refusedEventually("INCRBYFLOAT", `${WOULD_LOSE} (INCRBY adds whole numbers and loses none)`),
    flags: FLAGS,
    categories: CATEGORIES,
    group: "string",
    summary: "Increment the float value of a key by the given amount",
    check: (args) => {
      floatArg(args);
    },
    run: runIncrementByFloat,
  }),
];
