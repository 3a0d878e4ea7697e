/**
 * Keys, values and replies between JavaScript and the wire.
 *
 * A value is bytes (from a string, as UTF-8, or a `Uint8Array`) or a document (from any other JSON value).
 */
import { inspect } from "node:util";
import { DoubleReply, Status, VerbatimReply } from "../commands/reply.js";
import { MinikeyError } from "../core/errors.js";
import { documentText } from "./document-text.js";
import { type Argument, WireMap, type WireReply, WireSet } from "./wire.js";

export type KeyInput = string | Uint8Array;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [field: string]: Json };

/** What `put` takes. A top-level string or `Uint8Array` is bytes; anything else is a document. */
export type ValueInput = Uint8Array | Json;

/** What `command` returns: RESP3 as plain JavaScript. Bytes are read as UTF-8. */
export type PlainReply =
  | string
  | number
  | bigint
  | boolean
  | null
  | MinikeyError
  | PlainReply[]
  | Map<PlainReply, PlainReply>
  | Set<PlainReply>;

/** A key's value with what the server knows about it. */
export interface StoredEntry {
  readonly value: string | Json;
  readonly type: "string" | "json";
  /** Grows with every write; never used twice for a key. */
  readonly version: number;
  /** Milliseconds since 1970; undefined for never. */
  readonly expiresAtMs: number | undefined;
}

/** A named set of keys with its own rules. */
export interface KeyspaceEntry {
  /** What `SELECT` takes; 0 is `default`. */
  readonly id: number;
  readonly name: string;
  readonly consistency: "strong" | "eventual";
  readonly storage: "disk" | "memory";
  readonly replicas: number;
  readonly partitions: number;
}

/** The answer to `KEYSPACE LIST`; none in that of a server that has no such command. */
export function toKeyspaces(reply: WireReply): KeyspaceEntry[] {
  if (!Array.isArray(reply)) return [];
  const items = (reply as readonly WireReply[]).filter((item) => item instanceof WireMap);
  return items.map((item) => {
    const fields = new Map(item.entries.map(([field, value]) => [toPlain(field), toPlain(value)]));
    return {
      id: Number(fields.get("id")),
      name: textOf(fields.get("name")),
      consistency: fields.get("consistency") === "eventual" ? "eventual" : "strong",
      storage: fields.get("storage") === "memory" ? "memory" : "disk",
      replicas: Number(fields.get("replicas")),
      partitions: Number(fields.get("partitions")),
    };
  });
}

const textOf = (value: PlainReply | undefined): string => (typeof value === "string" ? value : "");

export interface PutCondition {
  readonly ttlMs?: number | undefined;
  readonly onlyIf?: "absent" | { readonly version: number } | undefined;
}

/**
 * The command that stores a value: the one place that knows how documents travel.
 * @param nowMs milliseconds since 1970, which a document's time to live counts from
 */
export function putCommand(
  key: KeyInput,
  value: ValueInput,
  condition: PutCondition,
  nowMs: number,
): Argument[] {
  const { ttlMs, onlyIf } = condition;
  if (ttlMs !== undefined && ttlMs <= 0) {
    throw new MinikeyError("BAD_REQUEST", `ttlMs: expected more than 0, got ${ttlMs}`);
  }
  const isBytes = typeof value === "string" || value instanceof Uint8Array;
  if (isBytes && typeof onlyIf !== "object") {
    const args: Argument[] = ["SET", key, value];
    if (ttlMs !== undefined) args.push("PX", ttlMs);
    if (onlyIf === "absent") args.push("NX");
    return args;
  }
  const type = isBytes ? "string" : "json";
  const expiresAtMs = ttlMs === undefined ? 0 : nowMs + ttlMs;
  const stored = isBytes ? value : documentText(value);
  if (typeof onlyIf === "object") return ["KV.PUT", key, type, "match", onlyIf.version, expiresAtMs, stored];
  return ["KV.PUT", key, type, onlyIf === "absent" ? "nx" : "any", 0, expiresAtMs, stored];
}

/** Null or `[type, version, expiresAtMs, value]`, as `KV.GET` answers. */
export function toEntry(reply: WireReply): StoredEntry | null {
  if (reply === null) return null;
  const [typeReply, version, expiresAtMs, bytes] = expectArray(reply);
  const type = expectText(typeReply) as "string" | "json";
  const text = expectText(bytes);
  return {
    value: type === "json" ? (JSON.parse(text) as Json) : text,
    type,
    version: expectNumber(version),
    expiresAtMs: expectNumber(expiresAtMs) || undefined,
  };
}

/** The value in `[key, version, type, value]`, as `KV.QUERY` answers. */
export function queried(reply: WireReply): Json {
  const [, , type, value] = expectArray(reply);
  const text = expectText(value);
  return expectText(type) === "json" ? (JSON.parse(text) as Json) : text;
}

export function toPlain(reply: WireReply): PlainReply {
  if (reply instanceof Uint8Array) return reply.toString("utf8");
  if (reply instanceof Status || reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof DoubleReply) return reply.value;
  if (reply instanceof WireMap) {
    return new Map(reply.entries.map(([key, value]) => [toPlain(key), toPlain(value)]));
  }
  if (reply instanceof WireSet) return new Set(reply.items.map(toPlain));
  if (Array.isArray(reply)) return (reply as readonly WireReply[]).map(toPlain);
  return reply as PlainReply;
}

/** A reply that must be a number. */
export function expectNumber(reply: WireReply): number {
  if (typeof reply === "number") return reply;
  if (typeof reply === "bigint") return Number(reply);
  throw unexpected("a number", reply);
}

/** A reply that must be bytes or nil. */
export function expectBytes(reply: WireReply): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply;
  throw unexpected("a string", reply);
}

export function expectText(reply: WireReply): string {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  if (reply instanceof Status || reply instanceof VerbatimReply) return reply.text;
  throw unexpected("a string", reply);
}

export function expectArray(reply: WireReply): readonly WireReply[] {
  if (Array.isArray(reply)) return reply as readonly WireReply[];
  throw unexpected("a list", reply);
}

function unexpected(expected: string, reply: WireReply): MinikeyError {
  return new MinikeyError("PROTOCOL", `expected ${expected} as the answer, got ${inspect(toPlain(reply))}`);
}
