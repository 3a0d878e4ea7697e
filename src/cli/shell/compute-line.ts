/**
 * What follows `COMPUTE` on a line of the shell, cut into the arguments that the server takes:
 *
 *     2*(x+3) WHERE x = QUERY "a b".c AND y = QUERY person1.age DEGREES
 *
 * Words are cut at white space. Only in a path, which is the word behind `QUERY`, quotes keep it together: they
 * are the path's own (`document/key-path.ts`) and stay in it. A formula may be quoted as a whole, as it has to be
 * on the command line of a system shell; those quotes go.
 */

/** A word and where it stands in the text. */
export interface ComputeWord {
  readonly text: string;
  readonly start: number;
  readonly isPath: boolean;
}

export const computeArguments = (rest: string): string[] =>
  computeWords(unquoteFormula(rest)).map((word) => word.text);

export function computeWords(text: string): ComputeWord[] {
  const words: ComputeWord[] = [];
  let isPath = false;
  let at = 0;
  for (;;) {
    while (at < text.length && isSpace(text[at])) at += 1;
    if (at >= text.length) return words;
    const end = isPath ? pathEnd(text, at) : wordEnd(text, at);
    const word: ComputeWord = { text: text.slice(at, end), start: at, isPath };
    words.push(word);
    isPath = !isPath && announcesPath(word.text);
    at = end;
  }
}

/** `QUERY`, `=QUERY` and `x=QUERY`. */
export const announcesPath = (word: string): boolean => /(?:^|=)QUERY$/i.test(word);

const isSpace = (character: string): boolean => /\s/.test(character);

function wordEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && !isSpace(text[at])) at += 1;
  return at;
}

/** A segment of a path is quoted when it begins with `"`; quotes that stay open reach to the end. */
function pathEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && !isSpace(text[at])) {
    const isQuote = text[at] === '"' && (at === start || text[at - 1] === ".");
    at = isQuote ? quotedEnd(text, at) : at + 1;
  }
  return at;
}

/** The position behind the quotes that open at `start`. */
export function quotedEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\\") at += 1;
  }
  return text.length;
}

/** No formula begins with a quote of its own. */
function unquoteFormula(rest: string): string {
  const quoted = /^(["'])(?<formula>[^"']*)\1(?=\s|$)(?<more>.*)$/s.exec(rest)?.groups;
  return quoted === undefined ? rest : `${quoted.formula}${quoted.more}`;
}
