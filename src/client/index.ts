/** The package `minikeydb`: a database to start inside a program, and a client of a running cluster. */
export { ERROR_CLASSES, type ErrorCode, MinikeyError, type Outcome } from "../core/errors.js";
export {
  Client,
  type CommandOptions,
  type ComputeOptions,
  type KeyspaceOptions,
  type PutOptions,
  type ReadOptions,
  type ScanOptions,
  type WriteOptions,
} from "./client.js";
export { type ConnectOptions, connect } from "./connect.js";
export { type EmbeddedNode, type StartNodeOptions, startNode } from "./start-node.js";
export type { Json, KeyInput, KeyspaceEntry, PlainReply, StoredEntry, ValueInput } from "./values.js";
