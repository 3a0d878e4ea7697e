/** The in-memory database, watched: what it was asked, and answers that fail or wait when a test says so. */
import type { Args } from "../../../../src/commands/types.js";
import { type ErrorCode, MinikeyError } from "../../../../src/core/errors.js";
import type {
  ClusterStatus,
  Database,
  KeyspaceInfo,
  PartitionInfo,
  ReplySink,
  RequestContext,
} from "../../../../src/node/database.js";
import { MemoryDatabase } from "../../../support/memory-database.js";

export class ProbeDatabase extends MemoryDatabase {
  readonly contexts: RequestContext[] = [];
  ready = true;
  /** Instead of the database's own. */
  partitions: readonly PartitionInfo[] | undefined;
  /** When set: the next command is answered with it. */
  fail: ErrorCode | undefined;
  /** While set, commands wait for `release`. */
  holding = false;
  /** The node has not heard of any keyspace. */
  isBlank = false;
  /** What the last `createKeyspace` was asked for. */
  created: unknown;
  readonly #held: (() => void)[] = [];

  override submit(args: Args, context: RequestContext, sink: ReplySink): void {
    this.contexts.push({ ...context });
    const code = this.fail;
    this.fail = undefined;
    if (code !== undefined) sink.onReply(new MinikeyError(code, `told to fail with ${code}`));
    else if (this.holding) this.#held.push(() => super.submit(args, context, sink));
    else super.submit(args, context, sink);
  }

  release(): void {
    this.holding = false;
    for (const submit of this.#held.splice(0)) submit();
  }

  override status(): ClusterStatus {
    const status = super.status();
    return { ...status, ready: this.ready, partitions: this.partitions ?? status.partitions };
  }

  override keyspaceById(id: number): KeyspaceInfo | undefined {
    return this.isBlank ? undefined : super.keyspaceById(id);
  }

  override createKeyspace(options: Parameters<Database["createKeyspace"]>[0]): Promise<KeyspaceInfo> {
    this.created = options;
    return super.createKeyspace(options);
  }
}
