/** Replies that are kept for longer than the turn in which they came. */
import { ProtocolReply, type Reply, Slice } from "../commands/reply.js";
import { copyBytes } from "../core/bytes.js";

/** The same reply, with memory of its own. */
export function retainReply(reply: Reply): Reply {
  if (reply instanceof Slice) {
    const copy = copyBytes(reply.bytes, reply.start, reply.end);
    return new Slice(copy, 0, copy.length);
  }
  if (reply instanceof ProtocolReply) {
    return new ProtocolReply(retainReply(reply.resp2), retainReply(reply.resp3));
  }
  return Array.isArray(reply) ? reply.map(retainReply) : reply;
}
