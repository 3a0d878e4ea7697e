/** What a command of the shell is about, and whether it writes: from the command table and the path of a QUERY. */
import type { Argument } from "../../client/wire.js";
import { parseCompute } from "../../commands/compute-words.js";
import { COMMANDS } from "../../commands/table.js";
import type { CommandSpec } from "../../commands/types.js";
import { asBytes, type Key, utf8ToBytes } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { candidates, parseKeyPath } from "../../document/key-path.js";
import type { AskedKeys } from "./server-watch.js";

export interface Asked {
  readonly access: "read" | "write" | "none";
  /** Every key that decides about the answer. */
  readonly keys: AskedKeys;
}

const NOTHING: Asked = { access: "none", keys: [] };

/** @param words with the command's name first */
export function askedBy(words: readonly Argument[]): Asked {
  const spec = COMMANDS.byName(String(words[0]));
  if (spec === undefined || spec.access === "none") return NOTHING;
  const { access } = spec;
  if (spec.keys.first > 0) return { access, keys: keysAt(spec, words) };
  return { access, keys: "all" };
}

/** Of a path: each key that it may mean. A path that is none is about nothing: the server refuses it. */
export const askedByPath = (path: string): Asked => readOf(() => keysOfPath(path));

/** Of every path that a COMPUTE binds. @param words without the command's name */
export const askedByCompute = (words: readonly string[]): Asked =>
  readOf(() => parseCompute(words).bindings.flatMap(({ path }) => keysOfPath(path)));

const keysOfPath = (path: string): Key[] => candidates(parseKeyPath(path)).map((candidate) => candidate.key);

function readOf(keys: () => readonly Key[]): Asked {
  try {
    return { access: "read", keys: keys() };
  } catch (error) {
    if (error instanceof MinikeyError) return NOTHING;
    throw error;
  }
}

function keysAt(spec: CommandSpec, words: readonly Argument[]): Key[] {
  const { first, last, step } = spec.keys;
  const end = last < 0 ? words.length + last : Math.min(last, words.length - 1);
  const keys: Key[] = [];
  for (let i = first; i <= end; i += step) keys.push(keyOf(words[i]));
  return keys;
}

function keyOf(word: Argument): Key {
  const bytes = word instanceof Uint8Array ? asBytes(word) : utf8ToBytes(String(word));
  return bytes.latin1Slice();
}
