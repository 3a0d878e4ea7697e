/**
 * State machine safety where it shows: every version is one write, the same key and the same bytes on every replica
 * that carries it out, before and after restarts; and on each replica a key's versions only grow.
 */
import { crc32c } from "../../src/core/crc32c.js";
import type { GroupId, NodeId } from "../../src/core/ids.js";
import { readRecord } from "../../src/node/record.js";
import type { GroupStore, StoredValue } from "../../src/ports/storage-engine.js";
import type { Trace } from "../world/trace.js";
import type { RefusedWrites } from "./refused-writes.js";
import type { Report } from "./violation.js";

/** Kinds of events in the digest. */
const WRITTEN = 21;
const DELETED = 22;
const CLEARED = 23;

/** A record for which room was made, and which is read once it has been laid out. */
interface Reserved {
  readonly node: NodeId;
  readonly group: GroupId;
  readonly key: string;
  readonly room: StoredValue;
  /** Of the record that it replaces; 0 for none. */
  readonly versionBefore: number;
}

export class StateSafety {
  readonly #report: Report;
  readonly #trace: Trace;
  readonly #refusedWrites: RefusedWrites;
  #reserved: Reserved | undefined;
  /** By group and version. */
  readonly #written = new Map<GroupId, Map<number, number>>();

  /** Checksums, made once: there are few keys. */
  readonly #keyHashes = new Map<string, number>();

  constructor(report: Report, trace: Trace, refusedWrites: RefusedWrites) {
    this.#report = report;
    this.#trace = trace;
    this.#refusedWrites = refusedWrites;
  }

  /** Watches what a node's state machine writes to `store`. */
  observe(node: NodeId, store: GroupStore): void {
    const { group } = store;
    const reserve = store.reserve.bind(store);
    const remove = store.delete.bind(store);
    const clear = store.clear.bind(store);
    store.reserve = (table, key, sizeBytes) => {
      this.lookBack();
      const before = table === "data" ? store.get(table, key) : undefined;
      const versionBefore = before === undefined ? 0 : readRecord(before).version;
      const room = reserve(table, key, sizeBytes);
      if (table === "data") this.#reserved = { node, group, key, room, versionBefore };
      return room;
    };
    store.delete = (table, key) => {
      this.lookBack();
      this.#trace.note(DELETED, group, this.#hashOf(key));
      remove(table, key);
    };
    store.clear = (table) => {
      this.lookBack();
      this.#trace.note(CLEARED, group, table.length);
      clear(table);
    };
  }

  #hashOf(key: string): number {
    let hash = this.#keyHashes.get(key);
    if (hash === undefined) {
      hash = crc32c(Buffer.from(key, "latin1"));
      this.#keyHashes.set(key, hash);
    }
    return hash;
  }

  /** Reads what was laid out last, before anything else can move it. */
  lookBack(): void {
    const record = this.#reserved;
    if (record === undefined) return;
    this.#reserved = undefined;
    this.#onWritten(record);
  }

  #onWritten({ node, group, key, room, versionBefore }: Reserved): void {
    const entry = readRecord(room);
    const { version } = entry;
    this.#refusedWrites.onWritten(node, key, entry);
    const keyHash = this.#hashOf(key);
    const hash = crc32c(room.bytes, room.start, room.end, keyHash);
    this.#trace.note(WRITTEN, group, hash);
    if (this.#trace.isWritten) this.#trace.say(node, `applies   ${group}: ${key} gets version ${version}`);
    if (version <= versionBefore) {
      const text = `${node}: group ${group}: ${key} goes from version ${versionBefore} to ${version}`;
      this.#report("versions grow", text);
    }
    let versions = this.#written.get(group);
    if (versions === undefined) {
      versions = new Map();
      this.#written.set(group, versions);
    }
    const known = versions.get(version);
    if (known === undefined) versions.set(version, hash);
    else if (known !== hash) {
      const text = `${node}: group ${group}: version ${version} is a write to ${key}, and elsewhere another`;
      this.#report("state machine safety", text);
    }
  }
}
