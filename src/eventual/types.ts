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

/**
 * What one replica has added to a counter since it last began anew: from its write `born` to its write `number`. It
 * begins anew when nothing of its slot counts any more.
 */
export interface CounterSlot extends Stamped {
  readonly born: number;
  /** When it began, by the replica's clock: milliseconds since 1970. */
  readonly bornAtMs: number;
  /** The key's expiry at the latest addition; 0 for none. */
  readonly endsAtMs: number;
  readonly sum: bigint;
}

/** A replica's additions up to its write `number`, adding up to `sum`, were written over by the write `by`. */
export interface SeenSlot extends Dot {
  readonly sum: bigint;
  readonly by: Dot;
}

/** The state of one key. Merging two is commutative, associative and idempotent. */
export interface EventualRecord {
  readonly type: BaseType;
  /** Of the base: the value, or the deletion. */
  readonly base: Stamped;
  /** 0 for never. As the base said, or, when `expiry` is there, as that says. */
  readonly expiresAtMs: number;
  /** A later change of the expiry alone; only of a value. */
  readonly expiry: Stamped | undefined;
  /** In the order of their origins; none of which all was written over. */
  readonly slots: readonly CounterSlot[];
  /** In the order of their origins. */
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
