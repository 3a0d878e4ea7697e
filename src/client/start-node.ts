/** `startNode`: a database inside the program, a one-node cluster that opens no port. */

import { MinikeyError } from "../core/errors.js";
import { nodeId } from "../core/ids.js";
import { Client } from "./client.js";
import { DirectChannel } from "./direct-channel.js";

export interface StartNodeOptions {
  /** Where the data is; made when it is missing. One process at a time. */
  readonly dataDir: string;
  /** Partitions of a new database. 12 when absent. */
  readonly partitions?: number;
  /** 8 MiB when absent. */
  readonly maxValueSizeBytes?: number;
  /**
   * Called when the database cannot go on, because its disk failed: everything answered so far is safe, and
   * every further call rejects. By default the error is thrown where nothing catches it, and the process ends.
   */
  readonly onFatal?: (error: unknown) => void;
}

export interface EmbeddedNode {
  /** A client without a network between; the same interface as `connect` gives. */
  client(): Client;
  /** Answers what is under way, makes everything durable, closes. */
  stop(): Promise<void>;
}

/**
 * Opens a database in this process. Rejects with `MinikeyError`: `DATA_IN_USE`, `DATA_CORRUPT`, `DATA_NEWER`,
 * `DISK_FAILED`.
 */
export async function startNode(options: StartNodeOptions): Promise<EmbeddedNode> {
  if (typeof options.dataDir !== "string" || options.dataDir === "") {
    throw new MinikeyError("BAD_CONFIG", "startNode needs a dataDir: the directory that holds the data");
  }
  // A program that only connects does not load a storage engine.
  const { EmbeddedCommands, openEmbeddedNode } = await import("../server/embedded.js");
  const valueBytesMax = options.maxValueSizeBytes ?? 8 * 1024 * 1024;
  const opened = await openEmbeddedNode({
    id: nodeId("n1"),
    dataDir: options.dataDir,
    partitions: options.partitions ?? 12,
    valueBytesMax,
    onFatal: options.onFatal ?? throwLater,
  });
  const local = new EmbeddedCommands(opened, valueBytesMax);
  return { client: () => new Client(new DirectChannel(opened.node, local)), stop: () => opened.stop() };
}

function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
