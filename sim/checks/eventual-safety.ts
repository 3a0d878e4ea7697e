/**
 * What must hold of the replicas of eventual keyspaces at every step. Observed from outside, through the ports: what
 * each node hands to its log, what of it has become durable, what it writes to its stores and says to its peers.
 *
 * | property | is broken when |
 * | --- | --- |
 * | one dot, one write | a replica's number means two writes |
 * | dominance | a write is not later than what its replica had of the key |
 * | durable before told | a record, or a vector, leaves a node before its disk has what it says |
 * | truthful vectors | a replica's vector has a write that it neither holds nor knows to be followed or deleted everywhere |
 * | replicas go forward | a key's record is replaced by something older, or removed while it is a value |
 * | deletions end everywhere | a tombstone is dropped that some replica's disk does not have |
 * | no resurrection | a replica holds a value again whose deletion was dropped |
 *
 * Everything is known by dot, key and stamp from what is durable: nothing leaves a node before.
 */
import type { Entry } from "../../src/codec/raft-types.js";
import { crc32c } from "../../src/core/crc32c.js";
import type { GroupId, NodeId } from "../../src/core/ids.js";
import type { EventualRecord } from "../../src/eventual/types.js";
import type { GroupStore, StoredValue } from "../../src/ports/storage-engine.js";
import type { LogAppend, RecoveredGroup } from "../../src/storage/log/types.js";
import type { Trace } from "../world/trace.js";
import { type EventualMessage, readBatch, readStored, type VectorEntries } from "./eventual-codec.js";
import { compareWrites, KnownKey, type Part, partsOf, partText, recordText } from "./eventual-known.js";
import type { Report } from "./violation.js";

/** Kinds of events in the digest. */
const WRITTEN = 41;
const REMOVED = 42;

/** A write, or a part of one: an addition to what has expired is a deletion, too. */
interface Write {
  readonly key: string;
  readonly part: Part;
  /** Of a base: what it wrote; undefined for a deletion. */
  readonly text: string | undefined;
  /** It went with the disks that had it. */
  isLost: boolean;
}

/** One partition on one disk. */
class Disk {
  /** All that became durable here, joined. */
  readonly known = new Map<string, KnownKey>();
  lastIndex = 0;
  /** By origin: what of the vector has been looked at, in memory and in what was told. */
  readonly checked = new Map<number, number>();
  store: GroupStore | undefined;
  /** By key: when its record was written last. */
  readonly storedMs = new Map<string, number>();
  /** It is being opened: what the log holds is merged again, from an earlier state on. */
  isOpening = true;
}

/** One partition. */
class Seen {
  readonly disks = new Map<NodeId, Disk>();
  /** By origin and number: the parts of one write. */
  readonly writes = new Map<number, Map<number, Write[]>>();
  /** By key. */
  readonly writesOf = new Map<string, Write[]>();
  /** By key: what was dropped, as it was. */
  readonly dropped = new Map<string, KnownKey>();

  diskOf(node: NodeId): Disk {
    let disk = this.disks.get(node);
    if (disk === undefined) {
      disk = new Disk();
      this.disks.set(node, disk);
    }
    return disk;
  }
}

interface Reserved {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly key: string;
  readonly room: StoredValue;
  readonly before: EventualRecord | undefined;
}

export interface EventualSettings {
  readonly report: Report;
  readonly trace: Trace;
  nowMs(): number;
  isEventual(group: GroupId): boolean;
  /** The nodes that are to hold it. */
  placementOf(group: GroupId): readonly NodeId[];
}

export class EventualSafety {
  readonly #settings: EventualSettings;
  readonly #groups = new Map<GroupId, Seen>();
  #reserved: Reserved | undefined;
  /** Steps looked at. */
  steps = 0;

  constructor(settings: EventualSettings) {
    this.#settings = settings;
  }

  get groups(): IterableIterator<GroupId> {
    return this.#groups.keys();
  }

  // --- Disks ---

  onDiskLost(node: NodeId): void {
    for (const seen of this.#groups.values()) {
      seen.disks.delete(node);
      for (const writes of seen.writesOf.values()) {
        for (const write of writes) write.isLost ||= isNowhere(seen, write);
      }
    }
  }

  /** A process has opened its log. */
  onRecovered(node: NodeId, groups: ReadonlyMap<GroupId, RecoveredGroup>): void {
    for (const [group, seen] of this.#groups) {
      const disk = seen.diskOf(node);
      disk.checked.clear();
      disk.isOpening = true;
      disk.store = undefined;
      const recovered = groups.get(group);
      const last = recovered === undefined ? 0 : recovered.snapshot.index + recovered.entries.length;
      if (last < disk.lastIndex) {
        const text = `had entries up to ${disk.lastIndex} on disk, and has them up to ${last}`;
        this.#report("durable log", `${node}: group ${group} ${text}`);
      }
    }
    for (const [group, { entries }] of groups) {
      if (!this.#settings.isEventual(group)) continue;
      for (const entry of entries) this.#addDurable(node, group, entry);
    }
  }

  // --- The log ---

  onAppend(node: NodeId, { group, entries }: LogAppend): void {
    this.steps += 1;
    const seen = this.#seenOf(group);
    for (const { kind, data } of entries) {
      if (kind !== "command") continue;
      for (const { key, record } of readBatch(data)) this.#checkDominance(node, group, seen, key, record);
    }
  }

  onDurable(node: NodeId, { group, entries }: LogAppend): void {
    for (const entry of entries) this.#addDurable(node, group, entry);
  }

  onCompact(): void {}

  onDrop(node: NodeId, group: GroupId): void {
    this.#groups.get(group)?.disks.delete(node);
  }

  #addDurable(node: NodeId, group: GroupId, { index, kind, data }: Entry): void {
    const seen = this.#seenOf(group);
    const disk = seen.diskOf(node);
    disk.lastIndex = Math.max(disk.lastIndex, index);
    if (kind !== "command") return;
    for (const { key, record } of readBatch(data)) {
      this.#register(node, group, seen, key, record);
      const known = disk.known.get(key);
      if (known === undefined) disk.known.set(key, KnownKey.of(record));
      else known.add(record);
    }
  }

  #register(node: NodeId, group: GroupId, seen: Seen, key: string, record: EventualRecord): void {
    for (const part of partsOf(record)) {
      let byNumber = seen.writes.get(part.origin);
      if (byNumber === undefined) {
        byNumber = new Map();
        seen.writes.set(part.origin, byNumber);
      }
      let ofDot = byNumber.get(part.number);
      if (ofDot === undefined) {
        ofDot = [];
        byNumber.set(part.number, ofDot);
      }
      const other = ofDot.find((known) => known.key !== key || known.part.stamp !== part.stamp);
      if (other !== undefined) {
        const text = `${partText(part)} to ${key} is elsewhere ${partText(other.part)} to ${other.key}`;
        this.#report("one dot, one write", `${node}: group ${group}: ${text}`);
      }
      if (ofDot.some((known) => known.part.kind === part.kind)) continue;
      const isValue = part.kind === "base" && record.type !== "none" && record.type !== "expired";
      const text = isValue ? record.bytes.latin1Slice(record.start, record.end) : undefined;
      const write: Write = { key, part, text, isLost: false };
      ofDot.push(write);
      const ofKey = seen.writesOf.get(key);
      if (ofKey === undefined) seen.writesOf.set(key, [write]);
      else ofKey.push(write);
    }
  }

  /** What is new in what a node is about to log is its own: nobody else's leaves before it is durable. */
  #checkDominance(node: NodeId, group: GroupId, seen: Seen, key: string, record: EventualRecord): void {
    const { store, storedMs } = seen.diskOf(node);
    // What is merged in a turn, when its commands have been carried out, they have not seen.
    if (storedMs.get(key) === this.#settings.nowMs()) return;
    const isNew = ({ origin, number }: Part) => seen.writes.get(origin)?.get(number) === undefined;
    const stored = store?.get("data", key);
    const before = stored === undefined ? undefined : readStored(stored);
    for (const part of partsOf(record)) {
      if (part.kind === "slot" || !isNew(part)) continue;
      const earlier = before?.base;
      const dropped = seen.dropped.get(key)?.base;
      for (const [what, other] of [
        ["what is there", earlier],
        ["a deletion that was dropped", dropped],
      ] as const) {
        if (other === undefined || other.stamp < part.stamp) continue;
        const text = `${partText(part)} to ${key} is not later than ${what}, of ${other.stamp}`;
        this.#report("dominance", `${node}: group ${group}: ${text}`);
      }
    }
  }

  // --- Stores ---

  observe(node: NodeId, store: GroupStore): void {
    const { group } = store;
    const disk = this.#seenOf(group).diskOf(node);
    disk.store = store;
    disk.isOpening = true;
    const reserve = store.reserve.bind(store);
    const remove = store.delete.bind(store);
    const onCheckpoint = store.onCheckpoint.bind(store);
    store.onCheckpoint = (capture) => {
      this.lookBack();
      disk.isOpening = false;
      onCheckpoint(capture);
    };
    store.reserve = (table, key, sizeBytes) => {
      if (table !== "data") return reserve(table, key, sizeBytes);
      this.lookBack();
      const before = recordIn(store, key);
      const room = reserve(table, key, sizeBytes);
      this.#reserved = { node, group, key, room, before };
      return room;
    };
    store.delete = (table, key) => {
      if (table === "data") {
        this.lookBack();
        const before = recordIn(store, key);
        if (before !== undefined) this.#onRemoved(node, group, disk, key, before);
      }
      remove(table, key);
    };
  }

  /** Reads what was laid out last, before anything else can move it. */
  lookBack(): void {
    const reserved = this.#reserved;
    if (reserved === undefined) return;
    this.#reserved = undefined;
    this.#onStored(reserved);
  }

  #onStored({ node, group, key, room, before }: Reserved): void {
    const { trace } = this.#settings;
    this.steps += 1;
    trace.note(WRITTEN, group, crc32c(room.bytes, room.start, room.end));
    const after = readStored(room);
    if (trace.isWritten) trace.say(node, `merges    ${group}: ${key}: ${recordText(after)}`);
    const seen = this.#seenOf(group);
    const disk = seen.diskOf(node);
    disk.storedMs.set(key, this.#settings.nowMs());
    if (disk.isOpening) return;
    const now = KnownKey.of(after);
    const dropped = seen.dropped.get(key);
    if (
      now.text !== undefined &&
      dropped !== undefined &&
      partsOf(after).every((part) => dropped.covers(part))
    ) {
      this.#report(
        "no resurrection",
        `${node}: group ${group}: ${key} is ${now.text} again, its deletion dropped`,
      );
    }
    if (before === undefined) return;
    const lost = partsOf(before).filter((part) => !now.covers(part));
    if (lost.length === 0) return;
    // A counter's deletion may go without the counter.
    const isDeletion = (before.type === "none" || before.type === "expired") && after.base.stamp === 0;
    if (isDeletion) this.#noteDropped(node, group, seen, key, { ...before, slots: [] });
    const left = lost.filter((part) => seen.dropped.get(key)?.covers(part) !== true);
    for (const part of left) {
      this.#report("replicas go forward", `${node}: group ${group}: ${key} loses ${partText(part)}`);
    }
  }

  #onRemoved(node: NodeId, group: GroupId, disk: Disk, key: string, before: EventualRecord): void {
    const { trace } = this.#settings;
    trace.note(REMOVED, group, before.base.stamp % 2 ** 31);
    if (trace.isWritten) trace.say(node, `drops     ${group}: ${key}: ${recordText(before)}`);
    if (disk.isOpening) return;
    const was = KnownKey.of(before);
    if (was.text !== undefined && before.type !== "expired") {
      this.#report("replicas go forward", `${node}: group ${group}: ${key} is removed, and was ${was.text}`);
      return;
    }
    this.#noteDropped(node, group, this.#seenOf(group), key, before);
  }

  #noteDropped(node: NodeId, group: GroupId, seen: Seen, key: string, record: EventualRecord): void {
    const parts = partsOf(record);
    for (const holder of this.#settings.placementOf(group)) {
      const known = seen.disks.get(holder)?.known.get(key);
      const missing = known === undefined ? undefined : parts.find((part) => !known.covers(part));
      if (missing === undefined) continue;
      const text = `drops ${partText(missing)} to ${key}, which ${holder} does not have`;
      this.#report("deletions end everywhere", `${node}: group ${group} ${text}`);
    }
    const dropped = seen.dropped.get(key);
    if (dropped === undefined) seen.dropped.set(key, KnownKey.of(record));
    else dropped.add(record);
  }

  // --- Vectors and messages ---

  /** What a node says to a peer: it holds what it sends, and all that its vector has. */
  onMessage(node: NodeId, group: GroupId, message: EventualMessage): void {
    this.steps += 1;
    const seen = this.#seenOf(group);
    const { known } = seen.diskOf(node);
    for (const { key, record } of message.records) {
      const missing = partsOf(record).find((part) => known.get(key)?.covers(part) !== true);
      if (missing === undefined || seen.dropped.get(key)?.covers(missing) === true) continue;
      const text = `sends ${partText(missing)} to ${key}, which its disk does not have`;
      this.#report("durable before told", `${node}: group ${group} ${text}`);
    }
    for (const vector of message.vectors) this.checkVector(node, group, vector, "durable before told");
  }

  /** Everything that `vector` has is on the node's disk, or something that came later, or has been deleted for good. */
  checkVector(node: NodeId, group: GroupId, vector: VectorEntries, property = "truthful vectors"): void {
    const seen = this.#seenOf(group);
    const disk = seen.diskOf(node);
    for (const [origin, upTo] of vector) {
      const from = disk.checked.get(origin) ?? 0;
      if (upTo <= from) continue;
      disk.checked.set(origin, upTo);
      for (const [number, parts] of seen.writes.get(origin) ?? []) {
        if (number <= from || number > upTo) continue;
        for (const write of parts) {
          const { key, part } = write;
          if (disk.known.get(key)?.covers(part) === true || isOver(seen, write)) continue;
          const text = `says that it has ${origin} up to ${upTo}, and lacks ${partText(part)} to ${key}`;
          this.#report(property, `${node}: group ${group} ${text}`);
        }
      }
    }
  }

  // --- What clients are told ---

  /**
   * The durable writes of `text` to `key`: no two clients write the same, but the library may send a write again that
   * it heard no answer to.
   */
  writesOf(group: GroupId, key: string, text: string): Part[] {
    const writes = this.#groups.get(group)?.writesOf.get(key) ?? [];
    return writes.filter((write) => write.text === text).map(({ part }) => part);
  }

  /** The last one of these. */
  writeOf(group: GroupId, key: string, text: string): Part | undefined {
    return this.writesOf(group, key, text).sort(compareWrites).at(-1);
  }

  /** A deletion that its replica made of `write`, knowing it. */
  deletionOf(group: GroupId, key: string, write: Part): Part | undefined {
    const isIt = (other: Write) =>
      other.part.kind === "base" &&
      other.text === undefined &&
      other.part.origin === write.origin &&
      other.part.number > write.number;
    return this.#groups.get(group)?.writesOf.get(key)?.find(isIt)?.part;
  }

  /** Whether some deletion of `key` is later than `write`. */
  isDeletedAfter(group: GroupId, key: string, write: Part): boolean {
    const isIt = ({ part, text }: Write) =>
      part.kind === "base" && text === undefined && compareWrites(part, write) > 0;
    return this.#groups.get(group)?.writesOf.get(key)?.some(isIt) === true;
  }

  /** The nodes whose disks have `write` or something later of the key. */
  holdersOf(group: GroupId, key: string, write: Part): NodeId[] {
    const disks = this.#groups.get(group)?.disks ?? new Map<NodeId, Disk>();
    return [...disks].flatMap(([node, { known }]) => (known.get(key)?.covers(write) === true ? [node] : []));
  }

  /** What the node's store has of the key. */
  storedOn(node: NodeId, group: GroupId, key: string): EventualRecord | undefined {
    this.lookBack();
    const store = this.#groups.get(group)?.disks.get(node)?.store;
    return store && recordIn(store, key);
  }

  /** All that is on some disk, joined, by key: what every replica is to come to. */
  joined(group: GroupId): Map<string, KnownKey> {
    const joined = new Map<string, KnownKey>();
    for (const { known } of this.#groups.get(group)?.disks.values() ?? []) {
      for (const [key, each] of known) {
        const all = joined.get(key) ?? new KnownKey();
        all.join(each);
        joined.set(key, all);
      }
    }
    return joined;
  }

  #seenOf(group: GroupId): Seen {
    let seen = this.#groups.get(group);
    if (seen === undefined) {
      seen = new Seen();
      this.#groups.set(group, seen);
    }
    return seen;
  }

  #report(property: string, message: string): void {
    this.#settings.report(property, message);
  }
}

/** Deleted everywhere, or lost with all disks that had it, or an addition that somebody knows was written over. */
function isOver(seen: Seen, { key, part, isLost }: Write): boolean {
  if (isLost || seen.dropped.get(key)?.covers(part) === true) return true;
  const isWrittenOver = ({ known }: Disk) =>
    (known.get(key)?.writtenOver.get(part.origin)?.number ?? 0) >= part.number;
  return part.kind === "slot" && [...seen.disks.values()].some(isWrittenOver);
}

function isNowhere({ disks }: Seen, { key, part }: Write): boolean {
  return [...disks.values()].every(({ known }) => known.get(key)?.covers(part) !== true);
}

function recordIn(store: GroupStore, key: string): EventualRecord | undefined {
  const stored = store.get("data", key);
  return stored === undefined ? undefined : readStored(stored);
}
