/**
 * `KV.FIELD`: what one partition finds at places in its keys' values, all at one state of its data, so that of a
 * large document only the field asked for travels.
 *
 * ```
 * KV.FIELD key place [key place …]  →  [revision, answer …]
 *
 * place    ┌────────────────┬───── for each segment of the path ─────┐
 *          │ known version  │ length            │ UTF-8              │
 *          │ varint         │ varint            │ length bytes       │
 *          └────────────────┴────────────────────────────────────────┘
 * answer   absent since                                         there is no such key
 *          [version]                                            as known: the asker has the rest
 *          [version, type, expires at, bytes]                   the value at the path
 *          [version, type, expires at, depth, kind, elements]   the path ends early (MissingPart)
 * ```
 * `revision` counts the partition's writes. A key has been as it is since its version; one that does not exist
 * has been absent since `absent since` or longer.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { ByteWriter } from "../codec/byte-writer.js";
import { type EntryLookup, findAll } from "../commands/look-all.js";
import { type Reply, Slice } from "../commands/reply.js";
import { command, KEY_VALUE_PAIRS } from "../commands/spec.js";
import { COMMANDS } from "../commands/table.js";
import type { Args, CommandSpec, Entry, Looked, Lookup, ValueType } from "../commands/types.js";
import { assert } from "../core/assert.js";
import { copyBytes, EMPTY_BYTES, type Key } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import type { Found, JsonKind } from "../document/found.js";
import { makeArgs } from "./node-commands.js";
import { StoreView } from "./store-view.js";

const NOT_KNOWN = 0;

/** Asks for the lookups at `positions`; of those `known` already, only whether they have changed. */
export function fieldArgs(
  lookups: readonly Lookup[],
  positions: readonly number[],
  known: readonly (Looked | undefined)[],
): Args {
  const parts: Parameters<typeof makeArgs>[0][number][] = [KV_FIELD.name];
  const writer = new ByteWriter(64);
  for (const position of positions) {
    const { key, path } = lookups[position];
    writer.clear();
    writer.varint(known[position]?.version ?? NOT_KNOWN);
    for (const segment of path) writer.utf8(segment);
    parts.push(key, writer.toBytes());
  }
  return makeArgs(parts);
}

/** The place that argument i names. Throws `MinikeyError` `PROTOCOL` when it names none. */
function placeAt(args: Args, i: number): { known: number; path: string[] } {
  const reader = new ByteReader(args.bytes, "place in a value", "PROTOCOL", args.start(i), args.end(i));
  const known = reader.varint();
  const path: string[] = [];
  while (reader.remaining > 0) path.push(reader.utf8());
  return { known, path };
}

function checkFields(args: Args): void {
  if (args.count % 2 === 0) throw new MinikeyError("PROTOCOL", "KV.FIELD: a key without a place");
  for (let i = 2; i < args.count; i += 2) placeAt(args, i);
}

function runFields(view: StoreView, args: Args): Reply {
  const replies: Reply[] = [view.revision];
  const entries = new Map<Key, Entry | undefined>();
  const lookups: EntryLookup[] = [];
  /** Which of the replies is which lookup's. */
  const asked: number[] = [];
  for (let i = 1; i < args.count; i += 2) {
    const key = args.key(i);
    if (!entries.has(key)) entries.set(key, view.get(key));
    const entry = entries.get(key);
    if (entry === undefined) {
      replies.push(view.absentSince(key));
      continue;
    }
    const { known, path } = placeAt(args, i + 1);
    if (entry.version !== known) {
      asked.push(replies.length);
      lookups.push({ entry, path });
    }
    replies.push([entry.version]);
  }
  for (const [i, found] of findAll(lookups).entries())
    replies[asked[i]] = fieldReply(lookups[i].entry, found);
  return replies;
}

function fieldReply(entry: Entry, found: Found): Reply {
  const { type, version, expiresAtMs } = entry;
  return found.kind === "value"
    ? [version, type, expiresAtMs, new Slice(entry.bytes, found.start, found.end)]
    : [version, type, expiresAtMs, found.depth, found.at, found.elements];
}

/** One answer of `KV.FIELD`. */
export interface FieldAnswer {
  /** The key has been as it is since this revision at the latest. */
  readonly changedAt: number;
  /** Undefined when there is no such key. */
  readonly looked: Looked | undefined;
}

/** The revision in a reply of `KV.FIELD`. */
export function revisionOf(reply: Reply): number {
  assert(Array.isArray(reply), "KV.FIELD answers a list");
  return Number((reply as readonly Reply[])[0]);
}

/** Answer i of a reply, from 0; `known` is what the question knew. Copies the value when it `keeps` it. */
export function answerAt(reply: Reply, i: number, known: Looked | undefined, keeps: boolean): FieldAnswer {
  const answer = (reply as readonly Reply[])[i + 1];
  if (!Array.isArray(answer)) return { changedAt: Number(answer), looked: undefined };
  const fields = answer as readonly Reply[];
  const changedAt = Number(fields[0]);
  if (fields.length > 1) return { changedAt, looked: lookedOf(changedAt, fields, keeps) };
  assert(known?.version === changedAt, "KV.FIELD takes for known what was said to be");
  return { changedAt, looked: known };
}

function lookedOf(version: number, fields: readonly Reply[], keeps: boolean): Looked {
  const [, type, expires, value, at, elements] = fields;
  const common = { type: type as ValueType, version, expiresAtMs: Number(expires) };
  if (!(value instanceof Slice)) {
    const kind = at as JsonKind;
    const found = { kind: "missing", depth: Number(value), at: kind, elements: Number(elements) } as const;
    return { ...common, found, bytes: EMPTY_BYTES };
  }
  const { bytes, start, end } = value;
  if (!keeps) return { ...common, found: { kind: "value", start, end }, bytes };
  const copy = copyBytes(bytes, start, end);
  return { ...common, found: { kind: "value", start: 0, end: copy.length }, bytes: copy };
}

export const KV_FIELD: CommandSpec = command({
  name: "KV.FIELD",
  opcode: 221,
  arity: -3,
  keys: KEY_VALUE_PAIRS,
  spread: "single",
  access: "read",
  group: "minikey",
  summary: "Get fields of values with what tells whether they have changed",
  internal: true,
  check: checkFields,
  run(view, args) {
    assert(view instanceof StoreView, "a node's partitions are read through their stores");
    return runFields(view, args);
  },
});

/** A read by its number, as other nodes ask for it. */
export function readSpecOf(opcode: number): CommandSpec | undefined {
  return opcode === KV_FIELD.opcode ? KV_FIELD : COMMANDS.byOpcode(opcode);
}
