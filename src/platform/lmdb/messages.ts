/** What the engine and its writer thread say to each other. A job is one transaction. */
import type { RecordBlock } from "../../storage/overlay/records.js";

/** What the thread starts with. */
export interface WriterData {
  readonly path: string;
  readonly mapBytes: number | undefined;
  /** See gate.ts. */
  readonly gate: Int32Array;
}

/** Writes of a job to one tree, before its `commit`: shared memory, which nobody changes any more. */
export interface BlocksMessage {
  readonly kind: "blocks";
  readonly job: number;
  readonly tree: number;
  readonly blocks: readonly RecordBlock[];
}

/** Everything of a job, in one transaction, on disk when the reply comes. */
export interface CommitMessage {
  readonly kind: "commit";
  readonly job: number;
  /** Group records, to be stored with the counts as they are after this job; given with those before it. */
  readonly groups: readonly { readonly group: number; readonly record: Uint8Array }[];
  readonly removedGroups: readonly number[];
  /** Trees that become garbage. */
  readonly discarded: readonly number[];
  /** Trees that are garbage no longer. */
  readonly adopted: readonly number[];
}

/** Deletes up to `limit` keys of a garbage tree, and its mark with the last of them. */
export interface CollectMessage {
  readonly kind: "collect";
  readonly job: number;
  readonly tree: number;
  readonly limit: number;
}

export interface CloseMessage {
  readonly kind: "close";
}

export type WriterMessage = BlocksMessage | CommitMessage | CollectMessage | CloseMessage;

export interface WriterReply {
  readonly job: number;
  /** How many keys each tree gained. */
  readonly deltas: ReadonlyMap<number, number>;
  /** Of `collect`: whether the tree is empty now. */
  readonly done: boolean;
  readonly error: string | undefined;
}
