/** What replicas of an eventual keyspace's partition keep of a key and say to each other (docs/adr/0014). */
import type { Bytes, Key } from "../core/bytes.js";
import type { Stamp } from "../core/hybrid-clock.js";
import type { ReplicaId } from "../core/ids.js";

/** One write: the replica that took it, and which of its writes in the partition it was, from 1 on. */
export interface Dot {
  readonly origin: ReplicaId;
  readonly number: number;
}

/** A write that can be compared with others of the same key: the later stamp wins, then the larger origin. */
export interface Stamped extends Dot {
  readonly stamp: Stamp;
}

/** `none`: deleted, or never set (stamp 0). `expired`: deleted by its expiry; a value of the same stamp is that value. */
export type BaseType = "string" | "json" | "none" | "expired";

/** What one replica has added to a counter since its write `born`; its latest addition is its write `number`. */
export interface CounterSlot extends Stamped {
  readonly born: number;
  readonly sum: bigint;
}

/** What a base has seen of a replica's slot: up to its write `number`, adding up to `sum`. */
export interface SeenSlot extends Dot {
  readonly sum: bigint;
}

/** The state of one key. Merging two is commutative, associative and idempotent. */
export interface EventualRecord {
  readonly type: BaseType;
  /** Of the base: the value, or the deletion. */
  readonly base: Stamped;
  /** 0 for never. As the base said, or, when `expiry` is there, as that says. */
  readonly expiresAtMs: number;
  /** A later change of the expiry alone. */
  readonly expiry: Stamped | undefined;
  /** In the order of their origins; empty unless the key is or was counted. */
  readonly slots: readonly CounterSlot[];
  readonly seen: readonly SeenSlot[];
  /** The value: `bytes[start, end)`. */
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
}

export interface KeyedRecord {
  readonly key: Key;
  readonly record: EventualRecord;
}
