/**
 * Where a text stops being JSON (RFC 8259): `JSON.parse` says that it does, but not always where. Only run on
 * lines that `JSON.parse` refused.
 */

/** The column, from 1, of the first character that no JSON text could have there. */
export function jsonErrorColumn(text: string): number {
  const scanner = new JsonScanner(text);
  scanner.scan();
  return scanner.errorAt + 1;
}

const DEPTH_MAX = 1_000;

class JsonScanner {
  readonly #text: string;
  #at = 0;
  /** Set once, by the first character that does not fit. */
  errorAt = -1;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    if (this.#value(0)) {
      this.#space();
      this.#fail();
    }
  }

  /** Each part returns whether it was read to its end. */
  #value(depth: number): boolean {
    this.#space();
    const first = this.#text[this.#at];
    if (depth > DEPTH_MAX) return this.#fail();
    if (first === "{") return this.#sequence("}", () => this.#field(depth + 1));
    if (first === "[") return this.#sequence("]", () => this.#value(depth + 1));
    if (first === '"') return this.#string();
    if (first === "t") return this.#word("true");
    if (first === "f") return this.#word("false");
    if (first === "n") return this.#word("null");
    return this.#number();
  }

  #sequence(close: string, item: () => boolean): boolean {
    this.#at += 1;
    this.#space();
    if (this.#take(close)) return true;
    for (;;) {
      if (!item()) return false;
      this.#space();
      if (this.#take(close)) return true;
      if (!this.#take(",")) return this.#fail();
    }
  }

  #field(depth: number): boolean {
    this.#space();
    if (this.#text[this.#at] !== '"') return this.#fail();
    if (!this.#string()) return false;
    this.#space();
    if (!this.#take(":")) return this.#fail();
    return this.#value(depth);
  }

  #string(): boolean {
    this.#at += 1;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character < " ") return this.#fail();
      if (character === '"') {
        this.#at += 1;
        return true;
      }
      if (character === "\\") {
        const escape = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at, this.#at + 6));
        if (escape === null) {
          this.#at += 1;
          return this.#fail();
        }
        this.#at += escape[0].length;
      } else {
        this.#at += 1;
      }
    }
  }

  #number(): boolean {
    const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(this.#text.slice(this.#at));
    if (number === null) return this.#fail();
    this.#at += number[0].length;
    return true;
  }

  #word(word: string): boolean {
    for (const letter of word) if (!this.#take(letter)) return this.#fail();
    return true;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    while (/[ \t\n\r]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }

  #fail(): false {
    this.errorAt = this.#at;
    return false;
  }
}
