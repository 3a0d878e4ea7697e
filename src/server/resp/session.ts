/** What a connection carries from command to command, as far as commands read and change it. */
import type { CommandSpec } from "../../commands/types.js";
import { keyspaceId } from "../../core/ids.js";
import type { RequestContext } from "../../node/database.js";
import type { Protocol } from "./resp-writer.js";

/** `skip-next`: what follows is not answered, once. */
export type ReplyMode = "on" | "off" | "skip-next";

export class Session {
  readonly id: number;
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Of the server's monotonic clock. */
  readonly connectedAtMs: number;
  lastActiveMs: number;
  lastCommand: CommandSpec | undefined = undefined;
  name = "";
  libraryName = "";
  libraryVersion = "";
  protocol: Protocol = 2;
  replies: ReplyMode = "on";
  noEvict = false;
  /** The connection ends when all that was asked before is answered. */
  closing = false;
  readonly context: RequestContext = freshContext();

  constructor(id: number, remoteAddress: string, localAddress: string, nowMs: number) {
    this.id = id;
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.connectedAtMs = nowMs;
    this.lastActiveMs = nowMs;
  }

  /** As a new connection, but for its id and its library's name. */
  reset(): void {
    Object.assign(this.context, freshContext());
    this.name = "";
    this.protocol = 2;
    this.replies = "on";
    this.noEvict = false;
  }
}

function freshContext(): RequestContext {
  return { keyspace: keyspaceId(0), readLevel: "default", writeLevel: "default" };
}
