/** Commands under way: who is told, and in whose order they count. */
import type { Reply } from "../commands/reply.js";
import type { ReplySink, RequestContext } from "./database.js";

/** Answers a command and lets the next of its context start. */
export function answer(sink: ReplySink, context: RequestContext | undefined, reply: Reply): void {
  sink.onReply(reply);
  context?.order?.finish();
}
