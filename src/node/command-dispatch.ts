/**
 * Where a client's command goes: checked, put in the order of its context, and handed to one partition, or to the
 * coordinator when it concerns several.
 *
 * Each command is answered exactly once, here or by whoever it was handed to. Every command of every client comes
 * through here: nothing is allocated for one that can start at once in a single partition.
 */
import type { Limits } from "../commands/check.js";
import { COMMANDS } from "../commands/table.js";
import { type Args, type CommandSpec, copyArgs } from "../commands/types.js";
import { MinikeyError } from "../core/errors.js";
import type { NodeId } from "../core/ids.js";
import type { Transport } from "../ports/transport.js";
import { admit, kindOf, partitionFor, refusedEventually } from "./admission.js";
import { ContextOrder } from "./context-order.js";
import { asReply, type Coordinator, groupIn, type Route } from "./coordinator.js";
import type { ReplySink, RequestContext } from "./database.js";
import type { EventualCoordinator } from "./eventual/coordinator.js";
import type { Membership } from "./membership.js";
import { answer } from "./pending.js";
import { nodeStopping, notJoined, replicasAway } from "./refusal.js";
import type { Requests } from "./requests.js";
import type { Router } from "./router.js";

export interface DispatchParts {
  readonly self: NodeId;
  readonly limits: Limits;
  readonly router: Router;
  readonly membership: Membership;
  readonly requests: Requests;
  readonly coordinator: Coordinator;
  /** For the commands of eventual keyspaces. */
  readonly eventual: EventualCoordinator;
  readonly transport: Transport;
  /** From then on every command is refused. */
  readonly isStopping: () => boolean;
}

export class CommandDispatch {
  readonly #parts: DispatchParts;
  readonly #router: Router;
  readonly #requests: Requests;

  constructor(parts: DispatchParts) {
    this.#parts = parts;
    this.#router = parts.router;
    this.#requests = parts.requests;
  }

  /** As `Database.submit`. */
  submit(args: Args, context: RequestContext, sink: ReplySink): void {
    const spec = COMMANDS.lookup(args.bytes, args.start(0), args.end(0));
    if (spec === undefined) {
      sink.onReply(new MinikeyError("UNKNOWN_COMMAND", `unknown command '${args.text(0)}'`));
      return;
    }
    const route = this.#router.route(context);
    if (route === undefined) {
      sink.onReply(this.#noRoute(context));
      return;
    }
    const admitted = this.#admit(spec, args, route, context);
    if (admitted instanceof MinikeyError) {
      sink.onReply(admitted);
      return;
    }
    const partition = partitionFor(spec, admitted, route);
    const kind = kindOf(spec, partition);
    const order = (context.order ??= new ContextOrder());
    if (order.tryStart(kind)) {
      this.#start(spec, admitted, partition, route, context, sink);
      return;
    }
    const kept = copyArgs(admitted);
    const start = () => this.#start(spec, kept, partition, route, context, sink);
    order.defer({ kind, sizeBytes: kept.bytes.length, start });
  }

  #start(
    spec: CommandSpec,
    args: Args,
    partition: number,
    route: Route,
    context: RequestContext,
    sink: ReplySink,
  ): void {
    if (route.eventual !== undefined) {
      this.#parts.eventual.start(spec, args, partition, route, context, sink);
    } else if (spec.spread === "query") {
      this.#parts.coordinator.query(spec, args, route, sink, context);
    } else if (partition === -1) {
      const kept = copyArgs(args);
      const keptBytes = kept.bytesUsed;
      context.order?.keep(keptBytes);
      this.#parts.coordinator.run(spec, kept, route, (reply) => {
        context.order?.letGo(keptBytes);
        answer(sink, context, reply);
      });
    } else if (spec.access === "write") {
      this.#requests.write(groupIn(route.keyspace, partition), spec.opcode, args, route.level, sink, context);
    } else {
      this.#requests.read(groupIn(route.keyspace, partition), spec, args, route.guarantee, sink, context);
    }
  }

  #noRoute(context: RequestContext): MinikeyError {
    return this.#parts.membership.map.epoch === 0
      ? notJoined()
      : new MinikeyError("KEYSPACE_NOT_FOUND", `no keyspace has the number ${context.keyspace}`);
  }

  /** The command as it is carried out, or why it is refused. */
  #admit(spec: CommandSpec, args: Args, route: Route, context: RequestContext): Args | MinikeyError {
    if (this.#parts.isStopping()) return nodeStopping();
    let admitted: Args;
    try {
      admitted = admit(spec, args, this.#parts.limits, route.partitionOf);
    } catch (error) {
      return asReply(error);
    }
    return this.#refusal(spec, admitted, route, context) ?? admitted;
  }

  /** Of a command that is as it should be: why it cannot be carried out in this keyspace at this level. */
  #refusal(spec: CommandSpec, args: Args, route: Route, context: RequestContext): MinikeyError | undefined {
    if (route.eventual !== undefined) {
      return refusedEventually(spec, args, route) ?? this.#parts.eventual.refusalOf(spec, route);
    }
    return context.readLevel === "all" && spec.access === "read" ? this.#missingReplica() : undefined;
  }

  /** Level `all` on reads: no replica may be away. */
  #missingReplica(): MinikeyError | undefined {
    const { self, membership, transport } = this.#parts;
    const missing = membership.map.members
      .map((member) => member.id)
      .filter((id) => id !== self && !transport.isUp(id));
    return missing.length === 0 ? undefined : replicasAway(missing);
  }
}
