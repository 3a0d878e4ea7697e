/** The process that `main.ts` measures: the RESP server on data in memory. Told to report its CPU time, it does. */
import { OK, Slice } from "../../src/commands/reply.js";
import { isWord } from "../../src/commands/spec.js";
import type { Args } from "../../src/commands/types.js";
import { allocOwnBytes, type Bytes, type Key } from "../../src/core/bytes.js";
import type { ReplySink, RequestContext } from "../../src/node/database.js";
import { systemClock } from "../../src/platform/clock.js";
import { startRespServer } from "../../src/server/resp/server.js";
import { LogRecorder } from "../../test/support/log-recorder.js";
import { MemoryDatabase } from "../../test/support/memory-database.js";

const PIECE_BYTES = 1024 * 1024;

/** `GET key` and `SET key value` at the least cost, so that what is measured is the layer above. */
class LeastDatabase extends MemoryDatabase {
  readonly #values = new Map<Key, Slice>();
  #piece: Bytes = allocOwnBytes(PIECE_BYTES);
  #end = 0;

  override submit(args: Args, context: RequestContext, sink: ReplySink): void {
    if (args.count === 2 && isWord(args, 0, "GET")) sink.onReply(this.#values.get(args.key(1)) ?? null);
    else if (args.count === 3 && isWord(args, 0, "SET")) {
      this.#values.set(args.key(1), this.#keep(args, 2));
      sink.onReply(OK);
    } else super.submit(args, context, sink);
  }

  #keep(args: Args, i: number): Slice {
    const lengthBytes = args.lengthBytes(i);
    if (this.#end + lengthBytes > this.#piece.length) {
      this.#piece = allocOwnBytes(Math.max(PIECE_BYTES, lengthBytes));
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += args.bytes.copy(this.#piece, start, args.start(i), args.end(i));
    return new Slice(this.#piece, start, this.#end);
  }
}

const clock = systemClock();
const server = await startRespServer({
  host: "127.0.0.1",
  port: 0,
  database: new LeastDatabase({ clock }),
  logger: new LogRecorder(),
  clock,
  limits: { valueBytesMax: 8 * 1024 * 1024 },
});

process.on("message", () => process.send?.(process.cpuUsage()));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: server.port });
