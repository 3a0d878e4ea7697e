/** Reads a text from left to right, by words and patterns, and says at which column something is wrong. */
import { MinikeyError } from "../core/errors.js";

export class TextCursor {
  readonly text: string;
  at = 0;
  readonly #what: string;

  /** `what` the text is, for errors: `path`. */
  constructor(text: string, what: string) {
    this.text = text;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  skipSpace(): void {
    while (this.text[this.at] === " " || this.text[this.at] === "\t") this.at += 1;
  }

  /** Goes past `word` when it is next. */
  take(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Goes past what `pattern`, which has the flag `y`, matches here. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found[0];
  }

  expect(word: string): void {
    this.skipSpace();
    if (!this.take(word)) throw this.error(`expected ${word}`);
  }

  error(what: string, at = this.at): MinikeyError {
    let column = 1;
    for (const _ of this.text.slice(0, at)) column += 1;
    return new MinikeyError("BAD_REQUEST", `${this.#what}, column ${column}: ${what}`);
  }
}
