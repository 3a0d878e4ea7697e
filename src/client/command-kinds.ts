/**
 * Which commands may be sent again, and how. Until a node says otherwise an unknown command counts as a write
 * that may not.
 */
import type { Argument, CommandKind } from "./wire.js";

const READS =
  "GET MGET STRLEN GETRANGE SUBSTR EXISTS TYPE TTL PTTL EXPIRETIME PEXPIRETIME KEYS SCAN RANDOMKEY DBSIZE " +
  "PING ECHO TIME INFO COMMAND CLUSTER CONFIG QUERY COMPUTE JSON.GET JSON.MGET JSON.TYPE LCS";

const ONE_KEY_WRITES =
  "SET PUT SETNX SETEX PSETEX GETSET GETDEL GETEX APPEND SETRANGE INCR DECR INCRBY DECRBY INCRBYFLOAT " +
  "EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST KV.PUT JSON.SET JSON.DEL JSON.NUMINCRBY";

/** Writes of any number of keys, all of them after the name: with one key they are writes of one key. */
const KEY_LIST_WRITES = "DEL DELETE UNLINK TOUCH";

const KINDS: ReadonlyMap<string, CommandKind | "key-list"> = new Map<string, CommandKind | "key-list">([
  ...READS.split(" ").map((name) => [name, "read"] as const),
  ...ONE_KEY_WRITES.split(" ").map((name) => [name, "write-once"] as const),
  ...KEY_LIST_WRITES.split(" ").map((name) => [name, "key-list"] as const),
]);

/** @param args with the command's name first */
export function kindOf(args: readonly Argument[]): CommandKind {
  const kind = KINDS.get(String(args[0]).toUpperCase()) ?? "write";
  if (kind !== "key-list") return kind;
  return args.length === 2 ? "write-once" : "write";
}
