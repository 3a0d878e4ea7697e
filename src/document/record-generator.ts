/**
 * Records made up at random: the generator of the Trie store. A seed makes the same bytes on every machine, and
 * the first records are the same however many follow.
 *
 *     "key1" -> [ "age" -> 4711 | "address" -> [ "street" -> "xK2" ] ]
 *     "key2" -> []
 *
 * A set has up to `setSizeMax` names of the key file, each once; its size is uniform. While the depth allows it,
 * none, one or two of its values are sets (each as likely), so that on average a set holds one other; a record
 * has at most `SETS_MAX` of them, however deep it may nest. Every other value is of its name's type: a string of
 * 1 to `stringLengthMax` letters and digits, an integer below 10,000, or a number below 10,000 with two decimals.
 */
import type { ByteWriter } from "../codec/byte-writer.js";
import { JSON_DEPTH_MAX } from "../codec/json-text.js";
import { assert } from "../core/assert.js";
import { type Bytes, latin1ToBytes, utf8ToBytes } from "../core/bytes.js";
import { SmallFastCounter } from "../core/small-fast-counter.js";

export type NameType = "string" | "int" | "float";

export interface TypedName {
  readonly name: string;
  readonly type: NameType;
}

export interface GeneratorOptions {
  /** All different; at least one. */
  readonly names: readonly TypedName[];
  /** Sets in sets, from 0 (one flat set) to `GENERATOR_DEPTH_MAX`. */
  readonly depth: number;
  /** From 1. */
  readonly stringLengthMax: number;
  /** From 0; names are not repeated, so no set has more than there are. */
  readonly setSizeMax: number;
  /** From 0 to 2^53 − 1. */
  readonly seed: number;
}

/** The set of depth 0 counts as one level of what may be stored. */
export const GENERATOR_DEPTH_MAX = JSON_DEPTH_MAX - 1;

const LETTERS_AND_DIGITS = latin1ToBytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
const NUMBER_BOUND = 10_000;
const DECIMALS_BOUND = 100;
/** Values of a set that are sets: 0, 1 or 2. */
const NESTED_BOUND = 3;

/** Of a record: few have that many, but without a bound one in thousands would be very large. */
const SETS_MAX = 256;

const QUOTE = 0x22;
const DOT = 0x2e;
const ZERO = 0x30;
const KEY_START = latin1ToBytes('"key');
const ARROW = latin1ToBytes('" -> ');
const SET_START = latin1ToBytes("[ ");
const SEPARATOR = latin1ToBytes(" | ");
const SET_END = latin1ToBytes(" ]");
const EMPTY_SET = latin1ToBytes("[]");
const LINE_END = latin1ToBytes("\n");

export class RecordGenerator {
  readonly #options: GeneratorOptions;
  readonly #random: SmallFastCounter;
  /** `"name" -> `, by position in the key file. */
  readonly #heads: readonly Bytes[];
  readonly #setSizeMax: number;
  /** For each depth all positions in some order, of which the first are drawn for a set. */
  readonly #positions: Uint32Array[] = [];
  #count = 0;
  /** What the record may still have. */
  #setsLeft = 0;

  constructor(options: GeneratorOptions) {
    assert(options.names.length > 0, "there are names to choose from");
    assert(options.depth <= GENERATOR_DEPTH_MAX, "records can be stored");
    this.#options = options;
    this.#random = new SmallFastCounter(options.seed);
    this.#heads = options.names.map(({ name }) => utf8ToBytes(`${JSON.stringify(name)} -> `));
    this.#setSizeMax = Math.min(options.setSizeMax, options.names.length);
  }

  /** Appends the next record, a line. */
  write(writer: ByteWriter): void {
    this.#count += 1;
    this.#setsLeft = SETS_MAX - 1;
    writer.raw(KEY_START);
    writeInteger(writer, this.#count);
    writer.raw(ARROW);
    this.#writeSet(writer, 0);
    writer.raw(LINE_END);
  }

  #writeSet(writer: ByteWriter, depth: number): void {
    const size = this.#random.below(this.#setSizeMax + 1);
    if (size === 0) {
      writer.raw(EMPTY_SET);
      return;
    }
    let nested = depth < this.#options.depth ? this.#random.below(NESTED_BOUND) : 0;
    nested = Math.min(nested, size, this.#setsLeft);
    this.#setsLeft -= nested;
    writer.raw(SET_START);
    for (let i = 0; i < size; i += 1) {
      if (i > 0) writer.raw(SEPARATOR);
      const position = this.#drawName(depth, i);
      writer.raw(this.#heads[position]);
      // Each of the values to come is as likely to be one of the sets to come.
      if (nested > 0 && this.#random.below(size - i) < nested) {
        nested -= 1;
        this.#writeSet(writer, depth + 1);
      } else {
        this.#writeValue(writer, this.#options.names[position].type);
      }
    }
    writer.raw(SET_END);
  }

  /** The `i`th name of a set, none of those before it: a step of the shuffle of Fisher and Yates. */
  #drawName(depth: number, i: number): number {
    const positions = (this.#positions[depth] ??= Uint32Array.from(this.#heads.keys()));
    const from = i + this.#random.below(positions.length - i);
    const drawn = positions[from];
    positions[from] = positions[i];
    positions[i] = drawn;
    return drawn;
  }

  #writeValue(writer: ByteWriter, type: NameType): void {
    const random = this.#random;
    if (type === "string") {
      this.#writeString(writer);
      return;
    }
    writeInteger(writer, random.below(NUMBER_BOUND));
    if (type === "int") return;
    const decimals = random.below(DECIMALS_BOUND);
    const at = writer.reserve(3);
    const { bytes } = writer;
    bytes[at] = DOT;
    bytes[at + 1] = ZERO + Math.trunc(decimals / 10);
    bytes[at + 2] = ZERO + (decimals % 10);
  }

  #writeString(writer: ByteWriter): void {
    const length = 1 + this.#random.below(this.#options.stringLengthMax);
    const start = writer.reserve(length + 2) + 1;
    const { bytes } = writer;
    bytes[start - 1] = QUOTE;
    for (let at = start; at < start + length; at += 1) {
      bytes[at] = LETTERS_AND_DIGITS[this.#random.below(LETTERS_AND_DIGITS.length)];
    }
    bytes[start + length] = QUOTE;
  }
}

/** A whole number from 0, in decimal digits. */
function writeInteger(writer: ByteWriter, value: number): void {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  const start = writer.reserve(digits);
  const { bytes } = writer;
  let rest = value;
  for (let at = start + digits - 1; at >= start; at -= 1) {
    bytes[at] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
