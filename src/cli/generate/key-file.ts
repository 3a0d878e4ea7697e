/**
 * The generator's key file: a name and the type of its values a line, `name string|int|float`. Blank lines count
 * for nothing.
 */
import { isUtf8 } from "node:buffer";
import type { NameType, TypedName } from "../../document/record-generator.js";
import { ExitError } from "../failure.js";

const TYPES: ReadonlyMap<string, NameType> = new Map([
  ["string", "string"],
  ["int", "int"],
  ["float", "float"],
]);
/** What the generator can draw from. */
const NAMES_MAX = 1_000_000;

/** @param path for messages; fails with the line that is wrong */
export function parseKeyFile(path: string, content: Buffer): TypedName[] {
  if (!isUtf8(content)) throw new ExitError(`${path} is not UTF-8`);
  const lineOfName = new Map<string, number>();
  const names: TypedName[] = [];
  const lines = content
    .toString()
    .replace(/^\ufeff/, "")
    .split("\n");
  for (const [i, line] of lines.entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "") continue;
    const refuse = (reason: string): ExitError => new ExitError(`${path}:${i + 1}: ${reason}`);
    const [name, typeName] = words;
    if (words.length !== 2) throw refuse("expected a name and string, int or float");
    const type = TYPES.get(typeName);
    if (type === undefined) throw refuse(`${typeName} is no type: string, int or float`);
    const before = lineOfName.get(name);
    if (before !== undefined) throw refuse(`${name} is named in line ${before} already`);
    lineOfName.set(name, i + 1);
    names.push({ name, type });
  }
  if (names.length === 0) throw new ExitError(`${path} names no keys: expected name string|int|float a line`);
  if (names.length > NAMES_MAX) throw new ExitError(`${path} has more than ${NAMES_MAX} names`);
  return names;
}
