/** What only real clients give a workload. */
import type { Answer } from "../../sim/cluster/client.js";
import type { Load } from "../../sim/workloads/workload.js";
import type { Client } from "../../src/client/client.js";

export interface TortureLoad extends Load {
  readonly nodes: number;
  readonly partitions: number;
  /** A client of the library with connections and sessions of its own. */
  newLibrary(): Client;
  request(client: Client, words: readonly string[], done: (answer: Answer) => void): void;
  /** Sends a command to one node, behind all others of the same kind, and waits for none of their answers. */
  pipeline(node: number, words: readonly string[], done: (answer: Answer) => void): void;
  /** What a linearizable read of the healed cluster says. */
  read(key: string): Promise<string | null>;
  readAll(keys: readonly string[]): Promise<readonly (string | null)[]>;
}
