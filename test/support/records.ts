/** Batches of records as `KV.LOAD` takes them, one character a byte. */
import { ByteWriter } from "../../src/codec/byte-writer.js";
import { RECORD_JSON, RECORD_STRING, writeRecordHead } from "../../src/codec/record-batch.js";
import { utf8ToBytes } from "../../src/core/bytes.js";

export type TestRecord = readonly [key: string, value: string, type?: "string" | "json"];

/** Keys and values are text, UTF-8. */
export function recordsOf(...records: readonly TestRecord[]): string {
  const writer = new ByteWriter();
  for (const [keyText, valueText, type = "string"] of records) {
    const key = utf8ToBytes(keyText);
    const value = utf8ToBytes(valueText);
    const code = type === "json" ? RECORD_JSON : RECORD_STRING;
    writeRecordHead(writer, code, key, 0, key.length, value.length);
    writer.raw(value);
  }
  return writer.toBytes().latin1Slice();
}
