/**
 * What other nodes ask of this node's replicas, for commands that were sent to them. It is checked before it is carried
 * out: the other node has done so already, so a refusal means that one of the two is wrong.
 */
import type { ByteReader } from "../../codec/byte-reader.js";
import { checkPassedOn } from "../../commands/check.js";
import { eventualRefusal } from "../../commands/eventual.js";
import { commonPartition } from "../../commands/plan.js";
import type { Reply } from "../../commands/reply.js";
import { runCommand } from "../../commands/run.js";
import { COMMANDS } from "../../commands/table.js";
import type { Args, CommandSpec } from "../../commands/types.js";
import { type Bytes, KEY_BYTES_MAX } from "../../core/bytes.js";
import { MinikeyError } from "../../core/errors.js";
import { type GroupId, type NodeId, partitionOf } from "../../core/ids.js";
import { BatchReader, checkBatch } from "../../eventual/batch.js";
import { slotOfBytes } from "../../sharding/slots.js";
import { checkKeysInside } from "../admission.js";
import type { Done, Route } from "../coordinator.js";
import { encodeEventualFrame } from "../peer-frames.js";
import {
  answerTo,
  BUSY,
  DONE,
  encodeRan,
  FETCH,
  FETCHED,
  NOT_HERE,
  RAN,
  REPAIR,
  type Refused,
  RUN,
  readKeys,
  readKind,
  readRun,
} from "./frames.js";
import type { EventualLevel } from "./levels.js";
import type { CommandReplica, EventualHost } from "./parts.js";
import type { PeerRequests } from "./peer-requests.js";

/** Carries a write out on this node's replica. */
export type WriteHere = (
  group: GroupId,
  spec: CommandSpec,
  args: Args,
  level: EventualLevel,
  deadlineMs: number,
  done: Done,
) => void;

/** Of one answer: less than a frame may have. */
const FETCHED_BYTES_MAX = 128 * 1024 * 1024;

export class ServedRequests {
  readonly #host: EventualHost;
  readonly #requests: PeerRequests;
  readonly #writeHere: WriteHere;

  constructor(host: EventualHost, requests: PeerRequests, writeHere: WriteHere) {
    this.#host = host;
    this.#requests = requests;
    this.#writeHere = writeHere;
  }

  /** Throws `MinikeyError` for what cannot be meant. */
  onFrame(from: NodeId, group: GroupId, body: Bytes): void {
    const { kind, reader } = readKind(body);
    switch (kind) {
      case RUN:
        this.#onRun(from, group, reader);
        break;
      case FETCH:
        this.#onFetch(from, group, reader);
        break;
      case RAN:
      case FETCHED:
        this.#requests.onAnswer(from, group, kind, reader);
        break;
      case REPAIR:
        this.#onRepair(group, reader);
        break;
      default:
        throw reader.error(`unknown kind ${kind}`, 0);
    }
  }

  #onRun(from: NodeId, group: GroupId, reader: ByteReader): void {
    const { request, level, leftMs, opcode, args } = readRun(reader);
    const route = this.#host.routeOf(group);
    const replica = this.#completeReplica(group);
    if (route === undefined || replica === undefined) {
      this.#send(from, group, encodeRan(request, null, NOT_HERE));
      return;
    }
    const spec = COMMANDS.byOpcode(opcode);
    checkRun(spec, opcode, args, group, route);
    const done = (reply: Reply) => {
      const isBusy = reply instanceof MinikeyError && reply.code === "OVERLOADED";
      this.#send(from, group, encodeRan(request, reply, isBusy ? BUSY : DONE));
    };
    if (spec.access === "read") done(runCommand(spec, replica.viewAt(this.#host.nowMs()), args));
    else this.#writeHere(group, spec, args, level, this.#host.clock.monotonicMs() + leftMs, done);
  }

  #onFetch(from: NodeId, group: GroupId, reader: ByteReader): void {
    const request = reader.u48();
    const keys = readKeys(reader, KEY_BYTES_MAX);
    const replica = this.#completeReplica(group);
    const refuse = (outcome: Refused) => {
      this.#send(from, group, answerTo(FETCHED, request, outcome).toBytes());
    };
    if (replica === undefined) {
      refuse(NOT_HERE);
      return;
    }
    const writer = answerTo(FETCHED, request, DONE);
    for (const key of keys) {
      const stored = replica.state.stored(key);
      if (stored === undefined) writer.varint(0);
      else writer.blob(stored.bytes, stored.start, stored.end);
      if (writer.length > FETCHED_BYTES_MAX) {
        refuse(BUSY);
        return;
      }
    }
    this.#send(from, group, writer.toBytes());
  }

  #onRepair(group: GroupId, reader: ByteReader): void {
    const batch = reader.raw(reader.remaining);
    const route = this.#host.routeOf(group);
    if (route === undefined) return;
    checkRepair(batch, group, route);
    this.#host.replica(group)?.repair(batch);
  }

  #completeReplica(group: GroupId): CommandReplica | undefined {
    const replica = this.#host.replica(group);
    return replica?.isComplete === true ? replica : undefined;
  }

  #send(to: NodeId, group: GroupId, body: Bytes): void {
    // Whoever waits for an answer that cannot be sent has a time for it.
    this.#host.transport.send(to, encodeEventualFrame("request", group, body));
  }
}

/** Throws unless the records are of this partition, and nothing else is said. */
function checkRepair(batch: Bytes, group: GroupId, route: Route): void {
  checkBatch(batch);
  const records = new BatchReader(batch);
  if (records.advances > 0) throw unusable("a repair that says what else there is");
  while (records.next()) {
    const slot = slotOfBytes(batch, records.keyStart, records.keyEnd);
    if (route.partitionOf(slot) !== partitionOf(group)) throw unusable("a record of another partition");
  }
}

/** Throws unless the command is one that a replica of the partition can be asked for. */
function checkRun(
  spec: CommandSpec | undefined,
  opcode: number,
  args: Args,
  group: GroupId,
  route: Route,
): asserts spec is CommandSpec {
  if (spec?.run === undefined) throw unusable(`no command has the number ${opcode}`);
  const isPiece = spec.keys.first === 0;
  if (isPiece && spec.access !== "read") throw unusable(`${spec.name} is no command of one partition`);
  checkPassedOn(spec, args);
  const refusal = eventualRefusal(spec, args, route.keyspace.name);
  if (refusal !== undefined) throw unusable(refusal.message);
  if (isPiece) return;
  if (commonPartition(spec, args, route.partitionOf) !== partitionOf(group)) {
    throw unusable(`keys of ${spec.name} lie in another partition`);
  }
  checkKeysInside(spec, args, route.partitionOf);
}

const unusable = (problem: string): MinikeyError =>
  new MinikeyError("PROTOCOL", `a peer passed on what cannot be carried out: ${problem}`);
