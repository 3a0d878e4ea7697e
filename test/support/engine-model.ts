/** What a storage engine must behave like: maps, and keys sorted whenever they are asked for in order. */
import assert from "node:assert/strict";
import { type Bytes, type Key, latin1ToBytes } from "../../src/core/bytes.js";
import { logIndex, term } from "../../src/core/ids.js";
import type {
  AppliedState,
  GroupStore,
  RangeOptions,
  StoredValue,
  TableName,
} from "../../src/ports/storage-engine.js";

export const TABLE_NAMES: readonly TableName[] = ["data", "expiry", "meta"];

/** A value as a caller hands it over: a part of a larger buffer. */
export function storedValue(text: string): StoredValue {
  const bytes = latin1ToBytes(`<<${text}>>`);
  return { bytes, start: 2, end: bytes.length - 2 };
}

/** Where keys that are laid out one after the other start and end, as `prefetch` takes it. */
export function spansOf(keys: readonly Key[]): number[] {
  const spans: number[] = [];
  let end = 0;
  for (const key of keys) {
    spans.push(end, end + key.length);
    end += key.length;
  }
  return spans;
}

/** Lays a value out in the room for it. */
export function layOut(room: StoredValue, value: StoredValue): void {
  assert.equal(room.end - room.start, value.end - value.start);
  value.bytes.copy(room.bytes, room.start, value.start, value.end);
}

export function valueText(value: StoredValue | undefined): string | undefined {
  return value?.bytes.latin1Slice(value.start, value.end);
}

export function appliedState(index: number, state: Bytes = latin1ToBytes(`state ${index}`)): AppliedState {
  return { index: logIndex(index), term: term(1 + Math.floor(index / 10)), state };
}

export class ModelTable {
  readonly entries: Map<Key, string>;

  constructor(entries: ReadonlyMap<Key, string> = new Map()) {
    this.entries = new Map(entries);
  }

  range({ start = "", prefix = "", exclusive = false }: RangeOptions = {}): [Key, string][] {
    return [...this.entries]
      .filter(([key]) => key.startsWith(prefix) && (key > start || (key === start && !exclusive)))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** The tables of one group. */
export class ModelGroup {
  readonly tables: Record<TableName, ModelTable>;

  constructor(source?: ModelGroup) {
    this.tables = {
      data: new ModelTable(source?.tables.data.entries),
      expiry: new ModelTable(source?.tables.expiry.entries),
      meta: new ModelTable(source?.tables.meta.entries),
    };
  }
}

/** Everything a group holds, read through its interface. */
export function contentOf(store: GroupStore): Record<TableName, [Key, string | undefined][]> {
  const read = (table: TableName): [Key, string | undefined][] =>
    [...store.range(table)].map(([key, value]) => [key, valueText(value)]);
  return { data: read("data"), expiry: read("expiry"), meta: read("meta") };
}

export function modelContent(model: ModelGroup): Record<TableName, [Key, string][]> {
  const { data, expiry, meta } = model.tables;
  return { data: data.range(), expiry: expiry.range(), meta: meta.range() };
}
