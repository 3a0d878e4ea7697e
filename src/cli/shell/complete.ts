/** Tab: command names for the first word, paths for QUERY and COMPUTE, key names for the other words. */
import { completePath, type PathSource } from "./complete-path.js";
import { announcesPath, computeWords } from "./compute-line.js";
import { commandNames } from "./help.js";
import { quoteWord } from "./words.js";

const KEYS_MAX = 100;

/** readline's form: the candidates, and the part of the line that they replace. */
export type Completion = [candidates: string[], replaced: string];

export async function complete(shell: PathSource, line: string): Promise<Completion> {
  const first = /^\s*(\S*)$/.exec(line);
  if (first !== null) return [completeCommand(first[1]), first[1]];
  if (/^\s*(help|\?)\s+\S*$/i.test(line)) {
    const word = lastWord(line);
    return [completeCommand(word), word];
  }
  const path = pathBeingTyped(line);
  if (path !== undefined) return [await completePath(shell, path), path];
  if (/^\s*compute\s/i.test(line)) return [[], ""];
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

/** Behind `QUERY`, at the start of a line or in a COMPUTE. */
function pathBeingTyped(line: string): string | undefined {
  const query = /^\s*query\s+(.*)$/is.exec(line);
  if (query !== null) return query[1];
  const compute = /^\s*compute\s(.*)$/is.exec(line);
  if (compute === null) return undefined;
  const last = computeWords(compute[1]).at(-1);
  if (last === undefined) return undefined;
  const isAtEnd = last.start + last.text.length === compute[1].length;
  if (last.isPath) return isAtEnd ? last.text : undefined;
  return !isAtEnd && announcesPath(last.text) ? "" : undefined;
}

/** What is being typed: from an open quote, or from the last white space. */
function lastWord(line: string): string {
  const openQuote = /(?:^|\s)(["'](?:(?!["']).)*)$/.exec(line);
  return openQuote?.[1] ?? /\S*$/.exec(line)?.[0] ?? "";
}
