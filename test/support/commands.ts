/** Commands by their words, and replies as plain values, for tests. */

import {
  DoubleReply,
  MapReply,
  ProtocolReply,
  type Reply,
  SetReply,
  Slice,
  Status,
  VerbatimReply,
} from "../../src/commands/reply.js";
import { Args } from "../../src/commands/types.js";
import { keyFromText, latin1ToBytes } from "../../src/core/bytes.js";
import { MinikeyError } from "../../src/core/errors.js";

/** Words of text, UTF-8. */
export function argsOf(...words: readonly string[]): Args {
  const latin1 = words.map(keyFromText);
  const args = new Args(latin1ToBytes(latin1.join("")));
  let at = 0;
  for (const word of latin1) {
    args.push(at, at + word.length);
    at += word.length;
  }
  return args;
}

export type Plain = number | bigint | string | boolean | null | Plain[];

/** Bulk strings as text, statuses as `+OK`, errors as `-CODE message`, maps and sets as arrays. */
export function plain(reply: Reply): Plain {
  if (reply instanceof Slice) return reply.bytes.utf8Slice(reply.start, reply.end);
  if (reply instanceof Status) return `+${reply.text}`;
  if (reply instanceof MinikeyError) return `-${reply.code} ${reply.message}`;
  if (reply instanceof MapReply) return reply.entries.map(([name, value]) => [plain(name), plain(value)]);
  if (reply instanceof SetReply) return reply.items.map(plain);
  if (reply instanceof DoubleReply) return reply.value;
  if (reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof ProtocolReply) return plain(reply.resp2);
  if (typeof reply === "object" && reply !== null) return reply.map(plain);
  return reply;
}
