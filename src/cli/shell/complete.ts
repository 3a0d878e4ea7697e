/** Tab: command names for the first word, key names for the others. */
import { commandNames } from "./help.js";
import type { Shell } from "./shell.js";
import { quoteWord } from "./words.js";

const KEYS_MAX = 100;

/** readline's form: the candidates, and the part of the line that they replace. */
export type Completion = [candidates: string[], replaced: string];

export async function complete(shell: Pick<Shell, "keysWithPrefix">, line: string): Promise<Completion> {
  const first = /^\s*(\S*)$/.exec(line);
  if (first !== null) return [completeCommand(first[1]), first[1]];
  if (/^\s*(help|\?)\s+\S*$/i.test(line)) {
    const word = lastWord(line);
    return [completeCommand(word), word];
  }
  const word = lastWord(line);
  const typed = word.replace(/^["']/, "");
  const keys = await shell.keysWithPrefix(typed, KEYS_MAX);
  return [keys.map((key) => (word.startsWith('"') ? `"${key}"` : quoteWord(key))), word];
}

function completeCommand(typed: string): string[] {
  const upper = typed.toUpperCase();
  const names = commandNames().filter((name) => name.startsWith(upper));
  const isLower = typed !== "" && typed === typed.toLowerCase();
  return names.map((name) => `${isLower ? name.toLowerCase() : name} `);
}

/** What is being typed: from an open quote, or from the last white space. */
function lastWord(line: string): string {
  const openQuote = /(?:^|\s)(["'](?:(?!["']).)*)$/.exec(line);
  return openQuote?.[1] ?? /\S*$/.exec(line)?.[0] ?? "";
}
