/**
 * Checks what another node passes on before it is carried out here: a batch that is replicated is carried out by
 * every replica, after every restart, and must not be able to stop them. The other node has checked it already,
 * so a refusal means that one of the two is wrong.
 */
import { ByteReader } from "../codec/byte-reader.js";
import { checkPassedOn } from "../commands/check.js";
import { decodeCommandFrom } from "../commands/encoding.js";
import { Args, type CommandSpec } from "../commands/types.js";
import { type Bytes, EMPTY_BYTES } from "../core/bytes.js";
import { MinikeyError } from "../core/errors.js";
import { BATCH_HEADER_BYTES } from "./batch.js";
import type { NodeCommandSpec } from "./node-commands.js";

/** Throws `MinikeyError` for a batch of anything but writes that a state machine can carry out. */
export function checkPeerBatch(
  batch: Bytes,
  lookup: (opcode: number) => CommandSpec | NodeCommandSpec | undefined,
): void {
  const args = new Args(EMPTY_BYTES);
  const reader = new ByteReader(batch, "batch of a peer", "PROTOCOL", BATCH_HEADER_BYTES);
  while (reader.remaining > 0) {
    const opcode = decodeCommandFrom(reader, args);
    const spec = lookup(opcode);
    if (spec === undefined) throw unusable(`no command has the number ${opcode}`);
    if ("apply" in spec) checkNodeCommand(spec, args);
    else if (spec.access !== "write" || spec.run === undefined) throw unusable(`${spec.name} is no write`);
    else checkPassedOn(spec, args);
  }
}

/** The reads in `commands`. Throws `MinikeyError` for anything else. */
export function decodePeerReads(
  commands: Bytes,
  lookup: (opcode: number) => CommandSpec | undefined,
): { readonly spec: CommandSpec; readonly args: Args }[] {
  const reads: { spec: CommandSpec; args: Args }[] = [];
  const reader = new ByteReader(commands, "reads of a peer");
  while (reader.remaining > 0) {
    const args = new Args(EMPTY_BYTES);
    const opcode = decodeCommandFrom(reader, args);
    const spec = lookup(opcode);
    if (spec === undefined) throw unusable(`no command has the number ${opcode}`);
    // A write among them would change this replica alone.
    if (spec.access !== "read" || spec.run === undefined) throw unusable(`${spec.name} is no read`);
    checkPassedOn(spec, args);
    reads.push({ spec, args });
  }
  return reads;
}

function checkNodeCommand(spec: NodeCommandSpec, args: Args): void {
  const { arity, name } = spec;
  const isRight = arity >= 0 ? args.count === arity : args.count >= -arity;
  if (!isRight) throw unusable(`${name} with ${args.count - 1} arguments`);
  spec.check?.(args);
}

const unusable = (problem: string): MinikeyError =>
  new MinikeyError("PROTOCOL", `a peer passed on what cannot be carried out: ${problem}`);
