/** The table of all commands, and finding one: by its bytes as a client sent them, by name, or by opcode. */
import { assert } from "../core/assert.js";
import { type Bytes, latin1ToBytes } from "../core/bytes.js";
import { FormulaCache } from "../document/formula-cache.js";
import { computeCommands } from "./compute.js";
import { COUNTER_COMMANDS } from "./counters.js";
import { INTERNAL_COMMANDS } from "./internal.js";
import { JSON_COMMANDS } from "./json/table.js";
import { KEY_COMMANDS } from "./keys.js";
import { LOAD_COMMANDS } from "./load.js";
import { LOCAL_COMMANDS } from "./local.js";
import { MULTI_KEY_COMMANDS } from "./multi-key.js";
import { QUERY_COMMANDS } from "./query.js";
import { SCAN_COMMANDS } from "./scan.js";
import { STRING_COMMANDS } from "./strings.js";
import type { CommandSpec } from "./types.js";
import { VERSIONED_COMMANDS } from "./versioned.js";

/** A power of two, several times the number of commands. */
const BUCKET_COUNT = 1024;

const LOWER_A = 0x61;
const LOWER_Z = 0x7a;
const CASE_BIT = 0x20;

export class CommandTable {
  readonly specs: readonly CommandSpec[];
  /** Open addressing: an entry is in its hash's bucket or in the next free one. */
  readonly #buckets = Array.from<CommandSpec | undefined>({ length: BUCKET_COUNT });
  readonly #byOpcode: (CommandSpec | undefined)[] = [];
  readonly #nameBytesMax: number;

  constructor(specs: readonly CommandSpec[]) {
    this.specs = specs;
    for (const spec of specs) this.#add(spec);
    this.#nameBytesMax = Math.max(...specs.map((spec) => spec.name.length));
  }

  /** The command named by `bytes[start, end)` in any case. Internal ones too: servers refuse these to clients. */
  lookup(bytes: Bytes, start: number, end: number): CommandSpec | undefined {
    const length = end - start;
    if (length === 0 || length > this.#nameBytesMax) return undefined;
    let bucket = hashName(bytes, start, end);
    for (;;) {
      const spec = this.#buckets[bucket];
      if (spec === undefined || isNamed(spec, bytes, start, length)) return spec;
      bucket = (bucket + 1) % BUCKET_COUNT;
    }
  }

  byName(name: string): CommandSpec | undefined {
    const bytes = latin1ToBytes(name);
    return this.lookup(bytes, 0, bytes.length);
  }

  byOpcode(opcode: number): CommandSpec | undefined {
    return this.#byOpcode[opcode];
  }

  #add(spec: CommandSpec): void {
    const name = latin1ToBytes(spec.name);
    let bucket = hashName(name, 0, name.length);
    for (let other = this.#buckets[bucket]; other !== undefined; other = this.#buckets[bucket]) {
      assert(other.name !== spec.name, "two commands are named %", spec.name);
      bucket = (bucket + 1) % BUCKET_COUNT;
    }
    this.#buckets[bucket] = spec;
    if (spec.opcode === 0) return;
    assert(this.#byOpcode[spec.opcode] === undefined, "two commands have opcode %", spec.opcode);
    this.#byOpcode[spec.opcode] = spec;
  }
}

/** By length, first, second and last letter; the letters' case does not count. */
function hashName(bytes: Bytes, start: number, end: number): number {
  const first = bytes[start] | CASE_BIT;
  const second = bytes[Math.min(start + 1, end - 1)] | CASE_BIT;
  const last = bytes[end - 1] | CASE_BIT;
  return (first * 31 + second * 7 + last * 131 + (end - start) * 17) & (BUCKET_COUNT - 1);
}

function isNamed(spec: CommandSpec, bytes: Bytes, start: number, length: number): boolean {
  const name = spec.name;
  if (name.length !== length) return false;
  for (let i = 0; i < length; i += 1) {
    const byte = bytes[start + i];
    const upper = byte >= LOWER_A && byte <= LOWER_Z ? byte - CASE_BIT : byte;
    if (upper !== name.charCodeAt(i)) return false;
  }
  return true;
}

export const COMMANDS = new CommandTable([
  ...STRING_COMMANDS,
  ...COUNTER_COMMANDS,
  ...KEY_COMMANDS,
  ...JSON_COMMANDS,
  ...MULTI_KEY_COMMANDS,
  ...SCAN_COMMANDS,
  ...LOCAL_COMMANDS,
  ...VERSIONED_COMMANDS,
  ...LOAD_COMMANDS,
  ...QUERY_COMMANDS,
  ...computeCommands(new FormulaCache()),
  ...INTERNAL_COMMANDS,
]);
