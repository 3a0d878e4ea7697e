/**
 * A line of the shell as words, by the rules of redis-cli: white space separates; `"…"` knows `\n` `\r` `\t`
 * `\b` `\a` `\xHH` and a backslash before any other character; `'…'` knows only `\'`. A closing quote ends
 * its word.
 *
 * `QUERY` and `COMPUTE` have a language of their own, with quotes of their own: what follows them is taken as it
 * was typed.
 */

const ESCAPES: Readonly<Record<string, number | undefined>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

export type SplitLine =
  | { readonly kind: "words"; readonly words: readonly Buffer[] }
  /** `column` counts from 1. */
  | { readonly kind: "unbalanced"; readonly column: number };

export function splitWords(line: string): SplitLine {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at])) at += 1;
    if (at >= line.length) return { kind: "words", words };
    const word = readWord(line, at);
    if (word === undefined) return { kind: "unbalanced", column: at + 1 };
    words.push(Buffer.concat(word.parts));
    at = word.end;
  }
}

/** A line's first word in upper case, and what follows it as it was typed, without the space around it. */
export function splitName(line: string): { readonly name: string; readonly rest: string } {
  const [, word, rest] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(line) as unknown as [string, string, string];
  return { name: word.toUpperCase(), rest };
}

interface Word {
  readonly parts: readonly Buffer[];
  readonly end: number;
}

/** The word that starts at `start`; undefined when a quote in it is not closed, or is followed by more. */
function readWord(line: string, start: number): Word | undefined {
  const parts: Buffer[] = [];
  let at = start;
  while (at < line.length && !isSpace(line[at])) {
    const quote = line[at];
    if (quote !== '"' && quote !== "'") {
      const character = String.fromCodePoint(line.codePointAt(at) as number);
      parts.push(Buffer.from(character));
      at += character.length;
      continue;
    }
    const quoted = quote === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
    if (quoted === undefined || (quoted.end < line.length && !isSpace(line[quoted.end]))) return undefined;
    parts.push(...quoted.parts);
    at = quoted.end;
  }
  return { parts, end: at };
}

function readDoubleQuoted(line: string, start: number): Word | undefined {
  const parts: Buffer[] = [];
  let at = start;
  while (at < line.length) {
    if (line[at] === '"') return { parts, end: at + 1 };
    if (line[at] === "\\" && at + 1 < line.length) {
      const hex = /^x([0-9a-f]{2})/i.exec(line.slice(at + 1, at + 4));
      if (hex !== null) {
        parts.push(Buffer.from([Number.parseInt(hex[1], 16)]));
        at += 4;
        continue;
      }
      const byte = ESCAPES[line[at + 1]];
      if (byte !== undefined) {
        parts.push(Buffer.from([byte]));
        at += 2;
        continue;
      }
      at += 1;
    }
    const character = String.fromCodePoint(line.codePointAt(at) as number);
    parts.push(Buffer.from(character));
    at += character.length;
  }
  return undefined;
}

function readSingleQuoted(line: string, start: number): Word | undefined {
  let text = "";
  for (let at = start; at < line.length; at += 1) {
    if (line[at] === "'") return { parts: [Buffer.from(text)], end: at + 1 };
    if (line[at] === "\\" && line[at + 1] === "'") at += 1;
    text += line[at];
  }
  return undefined;
}

const isSpace = (character: string): boolean => /\s/.test(character);

/** A word as the shell reads it back: bare when that is safe, else in double quotes. */
export function quoteWord(text: string): string {
  return /^[^\s"'\\]+$/.test(text) ? text : quoteText(text);
}

/** In double quotes, with escapes for what a terminal cannot show. */
export function quoteText(text: string): string {
  const escaped = text.replaceAll(/["\\\p{Cc}]/gu, (character) => {
    switch (character) {
      case "\n":
        return String.raw`\n`;
      case "\r":
        return String.raw`\r`;
      case "\t":
        return String.raw`\t`;
      case '"':
      case "\\":
        return `\\${character}`;
      default:
        // An escape is one byte, and a character may take two.
        return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
          "",
        );
    }
  });
  return `"${escaped}"`;
}
