/**
 * The words of an inline command: separated by white space, "quoted" with escapes or 'quoted' without.
 * Source: Redis 7.0, `sds.c` (`sdssplitargs`).
 */
import { Args } from "../../commands/types.js";
import { type Bytes, latin1ToBytes } from "../../core/bytes.js";

const BACKSLASH = "\\";
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\u0007" };
const HEX_ESCAPE = /^x([\da-fA-F]{2})/;
const SPACE = /[ \t\n\v\f\r]/;

/** The words of the line `bytes[start, end)`, in memory of their own; undefined when a quote is left open. */
export function splitInline(bytes: Bytes, start: number, end: number): Args | undefined {
  const line = bytes.latin1Slice(start, end);
  const zero = line.indexOf("\0");
  const words = splitWords(zero === -1 ? line : line.slice(0, zero));
  if (words === undefined) return undefined;
  const args = new Args(latin1ToBytes(words.join("")));
  let at = 0;
  for (const word of words) {
    args.push(at, at + word.length);
    at += word.length;
  }
  return args;
}

function splitWords(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && SPACE.test(line[at])) at += 1;
    if (at >= line.length) return words;
    const word = new Word(line, at);
    if (!word.read()) return undefined;
    words.push(word.text);
    at = word.end;
  }
}

/** One word, which may change between quoted and plain parts only at its start and end. */
class Word {
  readonly #line: string;
  text = "";
  end: number;

  constructor(line: string, start: number) {
    this.#line = line;
    this.end = start;
  }

  /** False when a quote is not closed, or is followed by something else than space. */
  read(): boolean {
    const line = this.#line;
    while (this.end < line.length) {
      const character = line[this.end];
      if (SPACE.test(character)) return true;
      this.end += 1;
      if (character === '"' || character === "'") return this.#readQuoted(character);
      this.text += character;
    }
    return true;
  }

  #readQuoted(quote: string): boolean {
    const line = this.#line;
    while (this.end < line.length) {
      const character = line[this.end];
      this.end += 1;
      if (character === quote) return this.end === line.length || SPACE.test(line[this.end]);
      if (character !== BACKSLASH) this.text += character;
      else if (quote === '"') this.#readEscape();
      else this.#readEscapedQuote();
    }
    return false;
  }

  /** Between double quotes. */
  #readEscape(): void {
    const rest = this.#line.slice(this.end, this.end + 3);
    const hex = HEX_ESCAPE.exec(rest);
    if (hex !== null) {
      this.text += String.fromCharCode(Number.parseInt(hex[1], 16));
      this.end += 3;
    } else if (rest === "") this.text += BACKSLASH;
    else {
      this.text += ESCAPES[rest[0]] ?? rest[0];
      this.end += 1;
    }
  }

  /** Between single quotes, where only a quote can be escaped. */
  #readEscapedQuote(): void {
    if (this.#line[this.end] === "'") {
      this.text += "'";
      this.end += 1;
    } else this.text += BACKSLASH;
  }
}
