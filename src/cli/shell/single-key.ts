/** The one key that a line of the shell is about, if it is about one. */
import { hasOneKey } from "../../client/command-kinds.js";
import { COMMANDS } from "../../commands/table.js";

export interface SingleKey {
  readonly key: Buffer;
  readonly access: "read" | "write";
}

/** @param words with the command's name first */
export function singleKeyOf(words: readonly Buffer[]): SingleKey | undefined {
  const spec = COMMANDS.byName(words[0].toString());
  if (spec === undefined || spec.access === "none" || !hasOneKey(spec, words.length)) return undefined;
  const key = words.at(spec.keys.first);
  return key === undefined ? undefined : { key, access: spec.access };
}
