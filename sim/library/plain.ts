/** Replies as the library has them, as the values that workloads compare: text, numbers, null, lists, errors. */
import { WireMap, type WireReply, WireSet } from "../../src/client/wire.js";
import { DoubleReply, Status, VerbatimReply } from "../../src/commands/reply.js";

export function plainOf(reply: WireReply): unknown {
  if (reply instanceof Uint8Array) return reply.toString("latin1");
  if (reply instanceof Status || reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof DoubleReply) return reply.value;
  if (reply instanceof WireSet) return reply.items.map(plainOf);
  if (reply instanceof WireMap) return reply.entries.map((entry) => entry.map(plainOf));
  return Array.isArray(reply) ? (reply as readonly WireReply[]).map(plainOf) : reply;
}
