/**
 * A client's test file: a key and a value a line, `key:value`, as they stand. The first `:` separates, further ones
 * are the value's; a value may be empty; blank lines count for nothing.
 */
import { isUtf8 } from "node:buffer";
import { KEY_BYTES_MAX } from "../../core/bytes.js";

export interface Pair {
  readonly key: string;
  readonly value: string;
}

/**
 * @param path for messages
 * @param troubles gets a message for each line that is no pair
 */
export function parseTestFile(content: Buffer, path: string, troubles: string[]): Pair[] {
  if (!isUtf8(content)) {
    troubles.push(`${path} is not UTF-8`);
    return [];
  }
  const pairs: Pair[] = [];
  for (const [i, line] of linesOf(content).entries()) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    const key = line.slice(0, Math.max(0, colon));
    const trouble = colon < 0 ? 'no ":" between key and value' : keyTrouble(key);
    if (trouble === undefined) pairs.push({ key, value: line.slice(colon + 1) });
    else troubles.push(`${path}:${i + 1}: ${trouble}`);
  }
  return pairs;
}

/** The lines of a text, without their ends (`\n` or `\r\n`) and the byte order mark. */
export const linesOf = (content: Buffer): string[] =>
  content
    .toString()
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);

function keyTrouble(key: string): string | undefined {
  if (key === "") return 'no key before the ":"';
  const bytes = Buffer.byteLength(key);
  return bytes > KEY_BYTES_MAX ? `the key has ${bytes} bytes, more than ${KEY_BYTES_MAX}` : undefined;
}
