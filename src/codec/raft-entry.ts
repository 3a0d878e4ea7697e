/**
 * Binary layouts of what consensus keeps: entries, hard state, configurations, snapshot descriptions. The
 * write-ahead log and the peer protocol both use them. Numbers are little-endian and unsigned; 48 bits hold
 * every term, index and replica id exactly.
 *
 * Entry data are never copied: the header goes to a `ByteWriter`, the data follow as separate parts.
 *
 *   entries                            (consecutive: only the first index is kept)
 *   ┌───────────┬─────────────┬───────────────────────────────────────────┬─────────────────────┐
 *   │ count u32 │ first  u48  │ count × [ term u48 | kind u8 | size u32 ] │ the data, in order  │
 *   └───────────┴─────────────┴───────────────────────────────────────────┴─────────────────────┘
 *   ╰──────── header: entriesHeaderLength ────────────────────────────────╯╰──────── data ───────╯
 *   kind: 1 command, 2 config, 3 noop
 *
 *   hard state        ┌──────────┬──────────┬────────────┐
 *                     │ term u48 │ vote u48 │ commit u48 │
 *                     └──────────┴──────────┴────────────┘
 *   configuration     ┌───────────────┬─────────────────┬─────────────────┬─────────────────────────────────────┐
 *                     │ voters varint │ outgoing varint │ learners varint │ ids u48: voters, outgoing, learners │
 *                     └───────────────┴─────────────────┴─────────────────┴─────────────────────────────────────┘
 *   snapshot meta     ┌───────────┬──────────┬───────────────┐
 *                     │ index u48 │ term u48 │ configuration │
 *                     └───────────┴──────────┴───────────────┘
 */
import type { Bytes } from "../core/bytes.js";
import type { ErrorCode } from "../core/errors.js";
import { type LogIndex, logIndex, type ReplicaId, replicaId, type Term, term } from "../core/ids.js";
import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import type { Configuration, Entry, EntryKind, HardState, SnapshotMeta } from "./raft-types.js";

const U48_BYTES = 6;
const ENTRIES_FIXED_BYTES = 4 + U48_BYTES;
const ENTRY_HEADER_BYTES = U48_BYTES + 1 + 4;

/** Bytes of a hard state. */
export const HARD_STATE_BYTES = 3 * U48_BYTES;

const KIND_COMMAND = 1;
const KIND_CONFIG = 2;
const KIND_NOOP = 3;

/** Bytes of the entries' header: everything but their data. */
export function entriesHeaderLength(entries: readonly Entry[]): number {
  return ENTRIES_FIXED_BYTES + entries.length * ENTRY_HEADER_BYTES;
}

/** Writes the header. The data must follow, in order. */
export function writeEntriesHeader(entries: readonly Entry[], writer: ByteWriter): void {
  writer.u32(entries.length);
  writer.u48(entries.length === 0 ? 0 : entries[0].index);
  for (const entry of entries) {
    writer.u48(entry.term);
    writer.u8(codeOfKind(entry.kind));
    writer.u32(entry.data.length);
  }
}

/** Appends the data of each entry to `parts`, uncopied. Empty data adds no part. */
export function pushEntriesData(entries: readonly Entry[], parts: Uint8Array[]): void {
  for (const entry of entries) if (entry.data.length > 0) parts.push(entry.data);
}

/** Gets the entries of a record one by one; the data are `reader.bytes[dataAt, dataEnd)`. */
export interface EntryVisitor {
  onEntry(index: LogIndex, term: Term, kind: EntryKind, dataAt: number, dataEnd: number): void;
}

/** Reads header and data, and makes no object for what the visitor may not need. */
export function visitEntries(reader: ByteReader, visitor: EntryVisitor): void {
  const count = reader.u32();
  const firstIndex = reader.u48();
  if (count > 0 && firstIndex === 0) throw reader.error("first index 0");
  let headerAt = reader.skip(count * ENTRY_HEADER_BYTES);
  for (let i = 0; i < count; i += 1) {
    const dataBytes = reader.bytes.readUInt32LE(headerAt + U48_BYTES + 1);
    const dataAt = reader.skip(dataBytes);
    visitor.onEntry(
      logIndex(firstIndex + i),
      term(reader.bytes.readUIntLE(headerAt, U48_BYTES)),
      kindOfCode(reader, headerAt + U48_BYTES),
      dataAt,
      dataAt + dataBytes,
    );
    headerAt += ENTRY_HEADER_BYTES;
  }
}

/** Reads header and data. The entries' data are views of the reader's bytes. */
export function readEntries(reader: ByteReader): Entry[] {
  const count = reader.u32();
  const firstIndex = reader.u48();
  if (count > 0 && firstIndex === 0) throw reader.error("first index 0");
  let headerAt = reader.skip(count * ENTRY_HEADER_BYTES);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i += 1) {
    entries.push({
      index: logIndex(firstIndex + i),
      term: term(reader.bytes.readUIntLE(headerAt, U48_BYTES)),
      kind: kindOfCode(reader, headerAt + U48_BYTES),
      data: reader.raw(reader.bytes.readUInt32LE(headerAt + U48_BYTES + 1)),
    });
    headerAt += ENTRY_HEADER_BYTES;
  }
  return entries;
}

export function writeHardState(state: HardState, writer: ByteWriter): void {
  writer.u48(state.term);
  writer.u48(state.vote);
  writer.u48(state.commit);
}

export function readHardState(reader: ByteReader): HardState {
  return {
    term: term(reader.u48()),
    vote: replicaId(reader.u48()),
    commit: logIndex(reader.u48()),
  };
}

export function writeConfiguration(configuration: Configuration, writer: ByteWriter): void {
  const { voters, votersOutgoing, learners } = configuration;
  writer.varint(voters.length);
  writer.varint(votersOutgoing.length);
  writer.varint(learners.length);
  for (const id of voters) writer.u48(id);
  for (const id of votersOutgoing) writer.u48(id);
  for (const id of learners) writer.u48(id);
}

export function readConfiguration(reader: ByteReader): Configuration {
  const voters = reader.varint();
  const outgoing = reader.varint();
  const learners = reader.varint();
  return {
    voters: readIds(reader, voters),
    votersOutgoing: readIds(reader, outgoing),
    learners: readIds(reader, learners),
  };
}

/** A configuration as the data of a `config` entry. */
export function encodeConfiguration(configuration: Configuration): Bytes {
  const writer = new ByteWriter();
  writeConfiguration(configuration, writer);
  return writer.toBytes();
}

/** The configuration in the data of a `config` entry. */
export function decodeConfiguration(bytes: Bytes, code: ErrorCode = "PROTOCOL"): Configuration {
  const reader = new ByteReader(bytes, "configuration", code);
  const configuration = readConfiguration(reader);
  reader.expectEnd();
  return configuration;
}

/** Bytes of a snapshot's description. */
export function snapshotMetaLength(meta: SnapshotMeta): number {
  const { voters, votersOutgoing, learners } = meta.configuration;
  const ids = voters.length + votersOutgoing.length + learners.length;
  const counts = varintLength(voters.length) + varintLength(votersOutgoing.length);
  return (2 + ids) * U48_BYTES + counts + varintLength(learners.length);
}

export function writeSnapshotMeta(meta: SnapshotMeta, writer: ByteWriter): void {
  writer.u48(meta.index);
  writer.u48(meta.term);
  writeConfiguration(meta.configuration, writer);
}

export function readSnapshotMeta(reader: ByteReader): SnapshotMeta {
  return {
    index: logIndex(reader.u48()),
    term: term(reader.u48()),
    configuration: readConfiguration(reader),
  };
}

function codeOfKind(kind: EntryKind): number {
  if (kind === "command") return KIND_COMMAND;
  return kind === "config" ? KIND_CONFIG : KIND_NOOP;
}

function kindOfCode(reader: ByteReader, at: number): EntryKind {
  const code = reader.bytes[at];
  if (code === KIND_COMMAND) return "command";
  if (code === KIND_CONFIG) return "config";
  if (code === KIND_NOOP) return "noop";
  throw reader.error(`unknown entry kind ${code}`, at);
}

function readIds(reader: ByteReader, count: number): ReplicaId[] {
  if (count * U48_BYTES > reader.remaining) throw reader.error(`${count} replica ids do not fit`);
  const ids: ReplicaId[] = [];
  for (let i = 0; i < count; i += 1) ids.push(replicaId(reader.u48()));
  return ids;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
