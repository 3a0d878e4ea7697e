/** A database in memory that keeps the commands of its only connection in order, as a node does. */
import { COMMANDS } from "../../src/commands/table.js";
import { type Args, copyArgs } from "../../src/commands/types.js";
import { ContextOrder } from "../../src/node/context-order.js";
import type { ReplySink, RequestContext } from "../../src/node/database.js";
import { answer } from "../../src/node/pending.js";
import { MemoryDatabase } from "./memory-database.js";

export class OrderedDatabase extends MemoryDatabase {
  readonly #order = new ContextOrder();
  answered = 0;

  get keptBytes(): number {
    return this.#order.keptBytes;
  }

  override submit(args: Args, context: RequestContext, sink: ReplySink): void {
    context.order = this.#order;
    const kind =
      COMMANDS.lookup(args.bytes, args.start(0), args.end(0))?.access === "write" ? "write" : "read";
    const start = (kept: Args) =>
      super.submit(kept, context, {
        onReply: (reply) => {
          this.answered += 1;
          answer(sink, context, reply);
        },
      });
    if (this.#order.tryStart(kind)) {
      start(args);
      return;
    }
    const kept = copyArgs(args);
    this.#order.defer({ kind, sizeBytes: kept.bytes.length, start: () => start(kept) });
  }
}
