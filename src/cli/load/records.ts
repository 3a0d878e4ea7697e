/**
 * Lines as records, in one of three formats:
 *
 *     "person1" -> [ "name" -> "John" ]                  records: what document/record-parser.ts reads
 *     {"key":"city:AD:Vila","value":{"name":"Vila"}}     jsonl: one object a line
 *     turpis:libero                                      lines: key:value, the first ":" separates
 *
 * A JSON value that is a string is stored as bytes, any other as a document: the text as it stands in the line,
 * without the whitespace between its tokens, so that no number is rounded. A record of the record format is a
 * document, what comes after the colon of the last format is bytes.
 *
 * The good line is the fast one: it is read in bytes, once, and the record is where it lies in the line. What is
 * wrong with a bad one is found out afterwards, at leisure.
 */
import { isUtf8 } from "node:buffer";
import { uniqueNames } from "../../codec/json-canonical.js";
import {
  compactJson,
  JSON_DEPTH_MAX,
  JsonTextScanner,
  jsonErrorAt,
  skipJsonSpace,
} from "../../codec/json-text.js";
import { RECORD_JSON, RECORD_STRING, type RecordType } from "../../codec/record-batch.js";
import {
  allocUnsafeBytes,
  type Bytes,
  EMPTY_BYTES,
  KEY_BYTES_MAX,
  latin1ToBytes,
  utf8ToBytes,
} from "../../core/bytes.js";
import { RecordTextParser } from "../../document/record-parser.js";
import { isBlank, type RecordFormat } from "./formats.js";
import type { Line } from "./line-splitter.js";

/** Where a record lies: views, valid until the parser's next line. */
export interface LoadRecord {
  readonly line: number;
  readonly type: RecordType;
  readonly key: Bytes;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Bytes;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export interface BadLine {
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  readonly reason: string;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const KEY = latin1ToBytes('"key"');
const VALUE = latin1ToBytes('"value"');

const textOf = ({ bytes, start, end }: Line): string => bytes.utf8Slice(start, end);

/** Its fields are the record of the line that was parsed last, when that is one. */
export class RecordParser implements LoadRecord {
  line = 0;
  type: RecordType = RECORD_STRING;
  key: Bytes = EMPTY_BYTES;
  keyStart = 0;
  keyEnd = 0;
  value: Bytes = EMPTY_BYTES;
  valueStart = 0;
  valueEnd = 0;
  /** Why the line that was parsed last is no record. */
  bad: BadLine = { line: 0, column: 0, reason: "" };
  readonly #recordText = new RecordTextParser();
  readonly #scanner = new JsonTextScanner();
  #isKeyEscaped = false;
  #isValueEscaped = false;
  #isValueCompact = true;
  #hasUniqueNames = true;

  parse(line: Line, format: RecordFormat): "record" | "blank" | "bad" {
    this.line = line.number;
    if (line.isTooLong) return this.#refuse(1, "the line is too long for a record");
    if (format === "lines") return isBlank(line) ? "blank" : this.#parseKeyValue(line);
    if (format === "records") return isBlank(line) ? "blank" : this.#parseRecordText(line);
    if (this.#scanObject(line)) return this.#finishJson();
    return isBlank(line) ? "blank" : this.#explain(line);
  }

  #refuse(column: number, reason: string): "bad" {
    this.bad = { line: this.line, column, reason };
    return "bad";
  }

  #parseKeyValue(line: Line): "record" | "bad" {
    const { bytes, start, end } = line;
    const colon = bytes.indexOf(COLON, start);
    if (colon < 0 || colon >= end) {
      return this.#refuse(textOf(line).length + 1, 'no ":" between key and value');
    }
    this.type = RECORD_STRING;
    this.key = bytes;
    this.keyStart = start;
    this.keyEnd = colon;
    this.value = bytes;
    this.valueStart = colon + 1;
    this.valueEnd = end;
    return this.#checkKey();
  }

  #parseRecordText(line: Line): "record" | "bad" {
    const { bytes, start, end } = line;
    const record = this.#recordText;
    if (!record.parse(bytes, start, end)) {
      return this.#refuse(bytes.utf8Slice(start, record.errorAt).length + 1, record.reason);
    }
    this.type = RECORD_JSON;
    this.key = record.key;
    this.keyStart = record.keyStart;
    this.keyEnd = record.keyEnd;
    this.value = record.value;
    this.valueStart = 0;
    this.valueEnd = record.valueEnd;
    return this.#checkKey();
  }

  #checkKey(): "record" | "bad" {
    const sizeBytes = this.keyEnd - this.keyStart;
    if (sizeBytes === 0) return this.#refuse(1, "the key is empty");
    if (sizeBytes <= KEY_BYTES_MAX) return "record";
    return this.#refuse(1, `the key is ${sizeBytes} bytes; ${KEY_BYTES_MAX} are the most`);
  }

  // --- JSON ---

  /**
   * Notes where `{"key":…,"value":…}` has its parts: both and nothing else, in any order; of a name that comes
   * twice the last counts. False for any other line.
   */
  #scanObject({ bytes, start, end }: Line): boolean {
    this.key = bytes;
    this.value = bytes;
    this.keyStart = -1;
    this.valueStart = -1;
    let at = skipJsonSpace(bytes, start, end);
    if (at >= end || bytes[at] !== OPEN_BRACE) return false;
    do {
      at = this.#scanMember(bytes, skipJsonSpace(bytes, at + 1, end), end);
      if (at < 0) return false;
      at = skipJsonSpace(bytes, at, end);
    } while (at < end && bytes[at] === COMMA);
    if (at >= end || bytes[at] !== CLOSE_BRACE || skipJsonSpace(bytes, at + 1, end) !== end) return false;
    return this.keyStart >= 0 && this.valueStart >= 0;
  }

  /** Returns where the member ends, or a negative number. */
  #scanMember(bytes: Bytes, start: number, end: number): number {
    const scanner = this.#scanner;
    let isKey = isAt(bytes, start, end, KEY);
    let nameEnd = start + KEY.length;
    if (!isKey && isAt(bytes, start, end, VALUE)) {
      nameEnd = start + VALUE.length;
    } else if (!isKey) {
      nameEnd = start < end && bytes[start] === QUOTE ? scanner.string(bytes, start, end) : -1;
      if (nameEnd < 0) return -1;
      const name: unknown = JSON.parse(bytes.utf8Slice(start, nameEnd));
      if (name !== "key" && name !== "value") return -1;
      isKey = name === "key";
    }
    const colon = skipJsonSpace(bytes, nameEnd, end);
    if (colon >= end || bytes[colon] !== COLON) return -1;
    const valueStart = skipJsonSpace(bytes, colon + 1, end);
    const isString = valueStart < end && bytes[valueStart] === QUOTE;
    const valueEnd = isString
      ? scanner.string(bytes, valueStart, end)
      : scanner.value(bytes, valueStart, end);
    if (valueEnd < 0) return -1;
    if (isKey && !isString) {
      this.keyStart = -1;
    } else if (isKey) {
      this.keyStart = valueStart + 1;
      this.keyEnd = valueEnd - 1;
      this.#isKeyEscaped = scanner.isEscaped;
    } else {
      this.type = isString ? RECORD_STRING : RECORD_JSON;
      this.valueStart = isString ? valueStart + 1 : valueStart;
      this.valueEnd = isString ? valueEnd - 1 : valueEnd;
      this.#isValueEscaped = isString && scanner.isEscaped;
      this.#isValueCompact = isString || scanner.isCompact;
      this.#hasUniqueNames = isString || scanner.hasUniqueNames;
    }
    return valueEnd;
  }

  /** Turns the parts of a good line into what is stored. */
  #finishJson(): "record" | "bad" {
    if (this.#isKeyEscaped) {
      const key = unescaped(this.key, this.keyStart, this.keyEnd);
      if (key === undefined) return this.#refuse(1, "the key holds half of a surrogate pair");
      this.key = key;
      this.keyStart = 0;
      this.keyEnd = key.length;
    }
    if (this.#isValueEscaped) {
      const value = unescaped(this.value, this.valueStart, this.valueEnd);
      if (value === undefined) return this.#refuse(1, "the value holds half of a surrogate pair");
      this.value = value;
      this.valueStart = 0;
      this.valueEnd = value.length;
    } else if (!this.#hasUniqueNames) {
      this.value = uniqueNames(this.value, this.valueStart, this.valueEnd);
      this.valueStart = 0;
      this.valueEnd = this.value.length;
    } else if (!this.#isValueCompact) {
      const compact = allocUnsafeBytes(this.valueEnd - this.valueStart);
      this.valueEnd = compactJson(this.value, this.valueStart, this.valueEnd, compact, 0);
      this.valueStart = 0;
      this.value = compact;
    }
    return this.#checkKey();
  }

  /** Says why a line is no record. */
  #explain(line: Line): "bad" {
    const { bytes, start, end } = line;
    const own = bytes.subarray(start, end);
    if (!isUtf8(own)) return this.#refuse(firstInvalidColumn(own), "not UTF-8");
    const text = textOf(line);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      const column = bytes.utf8Slice(start, jsonErrorAt(this.#scanner, bytes, start, end)).length + 1;
      return this.#refuse(column, column > text.length ? "the JSON ends too early" : "not JSON from here on");
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      return this.#refuse(1, 'expected {"key":…,"value":…}');
    }
    return this.#explainObject(parsed as Readonly<Record<string, unknown>>);
  }

  #explainObject(fields: Readonly<Record<string, unknown>>): "bad" {
    const { key, value } = fields;
    if (typeof key !== "string") return this.#refuse(1, 'no "key" that is a string');
    if (value === undefined) return this.#refuse(1, 'no "value"');
    for (const name in fields) {
      if (name !== "key" && name !== "value") {
        return this.#refuse(1, `unknown field ${JSON.stringify(name)}`);
      }
    }
    // The one thing that `JSON.parse` takes and we do not.
    return this.#refuse(1, `nested more than ${JSON_DEPTH_MAX} deep`);
  }
}

function isAt(bytes: Bytes, start: number, end: number, word: Bytes): boolean {
  if (end - start < word.length) return false;
  for (let i = 0; i < word.length; i += 1) if (bytes[start + i] !== word[i]) return false;
  return true;
}

/** The UTF-8 of a string with escapes, without its quotes; undefined for one that has none. */
function unescaped(bytes: Bytes, start: number, end: number): Bytes | undefined {
  const text = JSON.parse(bytes.utf8Slice(start - 1, end + 1)) as string;
  return /\p{Surrogate}/u.test(text) ? undefined : utf8ToBytes(text);
}

/** The first U+FFFD that decoding puts in is the first byte that is no UTF-8, unless one was there before. */
function firstInvalidColumn(bytes: Bytes): number {
  const text = bytes.utf8Slice();
  let column = 0;
  let offset = 0;
  for (const character of text) {
    const encoded = utf8ToBytes(character);
    if (!bytes.subarray(offset, offset + encoded.length).equals(encoded)) return column + 1;
    offset += encoded.length;
    column += character.length;
  }
  return column + 1;
}
