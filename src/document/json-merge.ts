/**
 * JSON Merge Patch (RFC 7396) on text: a patch's fields replace those of the same name, its nulls remove them, objects
 * are merged field by field, and any other patch takes the place of the value.
 *
 *     {"a":1,"b":{"c":2,"d":3}}  merged with  {"b":{"d":null,"e":4}}  is  {"a":1,"b":{"c":2,"e":4}}
 *
 * What the patch does not name stays byte for byte and in its place; new fields come last, in the patch's order.
 */
import { nameOf } from "../codec/json-name.js";
import { type Bytes, concatBytes, latin1ToBytes } from "../core/bytes.js";
import { CLOSE_BRACE, COMMA, kindAt, noDocument, OPEN_BRACE, skipString, skipValue } from "./json-bytes.js";
import type { JsonText } from "./json-edit.js";

/** `target` (nothing when undefined) merged with `patch`. */
export function mergePatch(target: JsonText | undefined, patch: JsonText): Bytes {
  const parts: Bytes[] = [];
  merge(target, patch, parts);
  return concatBytes(parts);
}

const OPEN = latin1ToBytes("{");
const CLOSE = latin1ToBytes("}");
const SEPARATOR = latin1ToBytes(",");

/** A field: `[start, valueStart)` its name and colon, `[valueStart, end)` its value. */
interface Field {
  readonly name: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** As deep as the patch, which has a bound. */
function merge(target: JsonText | undefined, patch: JsonText, parts: Bytes[]): void {
  if (patch.bytes[patch.start] !== OPEN_BRACE) {
    parts.push(patch.bytes.subarray(patch.start, patch.end));
    return;
  }
  const changes = new Map(fieldsOf(patch).map((field) => [field.name, field]));
  const writer = new FieldWriter(parts);
  const isObject = target !== undefined && target.bytes[target.start] === OPEN_BRACE;
  for (const field of isObject ? fieldsOf(target) : []) {
    const { bytes } = target!;
    const change = changes.get(field.name);
    changes.delete(field.name);
    if (change === undefined) {
      writer.copy(bytes, field.start, field.end);
    } else if (!isNull(patch.bytes, change)) {
      writer.copy(bytes, field.start, field.valueStart);
      merge({ bytes, start: field.valueStart, end: field.end }, valueOf(patch.bytes, change), parts);
    }
  }
  for (const change of changes.values()) {
    if (isNull(patch.bytes, change)) continue;
    writer.copy(patch.bytes, change.start, change.valueStart);
    merge(undefined, valueOf(patch.bytes, change), parts);
  }
  writer.end();
}

class FieldWriter {
  readonly #parts: Bytes[];
  #isFirst = true;

  constructor(parts: Bytes[]) {
    this.#parts = parts;
    parts.push(OPEN);
  }

  copy(bytes: Bytes, start: number, end: number): void {
    if (!this.#isFirst) this.#parts.push(SEPARATOR);
    this.#isFirst = false;
    this.#parts.push(bytes.subarray(start, end));
  }

  end(): void {
    this.#parts.push(CLOSE);
  }
}

const isNull = (bytes: Bytes, { valueStart }: Field): boolean => kindAt(bytes, valueStart) === "null";

const valueOf = (bytes: Bytes, { valueStart, end }: Field): JsonText => ({ bytes, start: valueStart, end });

function fieldsOf({ bytes, start, end }: JsonText): Field[] {
  const fields: Field[] = [];
  let at = start + 1;
  while (bytes[at] !== CLOSE_BRACE) {
    const nameEnd = skipString(bytes, at, end);
    const valueEnd = skipValue(bytes, nameEnd + 1, end);
    fields.push({ name: storedName(bytes, at, nameEnd), start: at, valueStart: nameEnd + 1, end: valueEnd });
    at = bytes[valueEnd] === COMMA ? valueEnd + 1 : valueEnd;
  }
  return fields;
}

function storedName(bytes: Bytes, start: number, end: number): string {
  try {
    return nameOf(bytes, start, end);
  } catch {
    throw noDocument();
  }
}
