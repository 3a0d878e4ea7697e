/**
 * A channel inside the process: commands go straight to the node, without a socket or a protocol between.
 */
import {
  DoubleReply,
  MapReply,
  ProtocolReply,
  type Reply,
  SetReply,
  Slice,
  Status,
  VerbatimReply,
} from "../commands/reply.js";
import { COMMANDS } from "../commands/table.js";
import { Args, type CommandSpec } from "../commands/types.js";
import { asBytes, type Bytes, concatBytes, EMPTY_BYTES, utf8ToBytes } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { type KeyspaceId, keyspaceId } from "../core/ids.js";
import type { Database, RequestContext } from "../node/database.js";
import {
  type Argument,
  type Channel,
  clientClosed,
  WireMap,
  type WireReply,
  type WireRequest,
  WireSet,
} from "./wire.js";

/** Answers what a node's servers answer without the data: `PING`, `KEYSPACE` … */
export interface LocalAnswers {
  run(spec: CommandSpec, args: Args, keyspace: KeyspaceId): Reply | undefined | Promise<Reply>;
}

export class DirectChannel implements Channel {
  readonly #database: Database;
  readonly #local: LocalAnswers;
  readonly #keyspace: string | number;
  readonly #context: RequestContext;
  #open = 0;
  #whenIdle: (() => void) | undefined;
  /** What `close` waits for. */
  #idle: Promise<void> | undefined;
  #isClosed = false;

  constructor(database: Database, local: LocalAnswers, keyspace: string | number = 0) {
    this.#database = database;
    this.#local = local;
    this.#keyspace = keyspace;
    this.#context = { keyspace: keyspaceId(0), readLevel: "default", writeLevel: "default" };
  }

  submit(request: WireRequest): void {
    const id = this.#keyspaceId();
    if (this.#isClosed || id instanceof MinikeyError) {
      request.onReply(id instanceof MinikeyError ? id : clientClosed());
      return;
    }
    this.#open += 1;
    const args = argsOf(request.args);
    const spec = COMMANDS.lookup(args.bytes, args.start(0), args.end(0));
    if (spec?.spread === "local") this.#submitLocal(spec, args, id, request);
    else this.#submitToNode(args, id, request);
  }

  #submitToNode(args: Args, keyspace: KeyspaceId, request: WireRequest): void {
    const context = this.#context;
    context.keyspace = keyspace;
    // The node reads the levels before `submit` returns.
    context.readLevel = request.readLevel ?? "default";
    context.writeLevel = request.writeLevel ?? "default";
    this.#database.submit(args, context, { onReply: (reply) => this.#answer(request, reply) });
  }

  #submitLocal(spec: CommandSpec, args: Args, keyspace: KeyspaceId, request: WireRequest): void {
    const reply = this.#local.run(spec, args, keyspace);
    if (!(reply instanceof Promise)) {
      this.#answer(request, reply ?? null);
      return;
    }
    reply.then(
      (later) => this.#answer(request, later),
      (error: unknown) =>
        this.#answer(request, new MinikeyError("INTERNAL", String(error), { cause: error })),
    );
  }

  #answer(request: WireRequest, reply: Reply): void {
    const wire = toWire(reply);
    this.#open -= 1;
    request.onReply(wire);
    if (this.#open === 0) this.#whenIdle?.();
  }

  forKeyspace(keyspace: string | number): Channel {
    return new DirectChannel(this.#database, this.#local, keyspace);
  }

  async ready(): Promise<void> {
    if (this.#isClosed) throw clientClosed();
    await Promise.resolve();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#open === 0) return;
    this.#idle ??= new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
    await this.#idle;
  }

  #keyspaceId(): KeyspaceId | MinikeyError {
    const keyspace =
      typeof this.#keyspace === "number" || /^\d+$/.test(this.#keyspace)
        ? this.#database.keyspaceById(Number(this.#keyspace))
        : this.#database.keyspaceByName(this.#keyspace);
    return keyspace?.id ?? new MinikeyError("KEYSPACE_NOT_FOUND", `no such keyspace: ${this.#keyspace}`);
  }
}

function argsOf(words: readonly Argument[]): Args {
  const parts = words.map((word): Bytes => {
    if (typeof word === "string") return utf8ToBytes(word);
    return word instanceof Uint8Array ? asBytes(word) : utf8ToBytes(String(word));
  });
  const args = new Args(parts.length === 0 ? EMPTY_BYTES : concatBytes(parts));
  let at = 0;
  for (const part of parts) {
    args.push(at, at + part.length);
    at += part.length;
  }
  return args;
}

/** As RESP would bring it, with memory of its own. */
function toWire(reply: Reply): WireReply {
  if (reply instanceof Slice) return Buffer.from(reply.bytes.subarray(reply.start, reply.end));
  if (typeof reply === "string") return Buffer.from(reply);
  if (reply instanceof MapReply) {
    return new WireMap(reply.entries.map(([key, value]) => [toWire(key), toWire(value)]));
  }
  if (reply instanceof ProtocolReply) return toWire(reply.resp3);
  if (reply instanceof SetReply) return new WireSet(reply.items.map(toWire));
  if (
    reply instanceof Status ||
    reply instanceof MinikeyError ||
    reply instanceof DoubleReply ||
    reply instanceof VerbatimReply ||
    reply === null ||
    typeof reply !== "object"
  ) {
    return reply;
  }
  return reply.map(toWire);
}
