/**
 * How many bytes a reply will take, without writing it: so that one past a connection's bound is never encoded.
 * Close, not exact: what frames a value, and whatever is short, counts as `FRAME_BYTES`.
 */
import { MapReply, ProtocolReply, type Reply, SetReply, Slice, VerbatimReply } from "../../commands/reply.js";
import { utf8Length } from "../../core/bytes.js";

/** Type, length and line ends of a value; a number, a status, an error. */
const FRAME_BYTES = 8;

export function estimateReplyBytes(reply: Reply): number {
  if (reply instanceof Slice) return FRAME_BYTES + reply.end - reply.start;
  if (typeof reply === "string") return FRAME_BYTES + utf8Length(reply);
  if (typeof reply !== "object" || reply === null) return FRAME_BYTES;
  return estimateOther(reply);
}

function estimateOther(reply: Exclude<Reply, string | number | bigint | boolean | null | Slice>): number {
  if (Array.isArray(reply)) return estimateList(reply);
  if (reply instanceof SetReply) return estimateList(reply.items);
  if (reply instanceof VerbatimReply) return FRAME_BYTES + utf8Length(reply.text);
  if (reply instanceof ProtocolReply) {
    return Math.max(estimateReplyBytes(reply.resp2), estimateReplyBytes(reply.resp3));
  }
  if (!(reply instanceof MapReply)) return FRAME_BYTES;
  let sizeBytes = FRAME_BYTES;
  for (const [name, value] of reply.entries)
    sizeBytes += estimateReplyBytes(name) + estimateReplyBytes(value);
  return sizeBytes;
}

function estimateList(items: readonly Reply[]): number {
  let sizeBytes = FRAME_BYTES;
  for (const item of items) sizeBytes += estimateReplyBytes(item);
  return sizeBytes;
}
