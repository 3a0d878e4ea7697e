/**
 * The words of `COMPUTE`, as people type them and as clients cut them into arguments:
 *
 *     COMPUTE formula [WHERE name = QUERY path [AND name = QUERY path …]] [DEGREES | RADIANS]
 *
 * Keywords are words of their own, in any case. The formula may be one argument or many; blanks around `=` may be
 * missing; the unit may also stand before WHERE. A path with blanks in it is one argument.
 */
import { MinikeyError } from "../core/errors.js";
import { shorten } from "../core/text.js";
import type { AngleUnit } from "../document/formula-functions.js";

export interface Binding {
  readonly name: string;
  readonly path: string;
}

export interface ComputeRequest {
  readonly formula: string;
  readonly bindings: readonly Binding[];
  readonly unit: AngleUnit;
}

const UNITS: ReadonlyMap<string, AngleUnit> = new Map([
  ["DEGREES", "degrees"],
  ["RADIANS", "radians"],
]);
const UNIT_LENGTH = "RADIANS".length;
/** What a formula cannot end with. */
const UNFINISHED = /[-+*/^(,]$/;
const SHOWN_MAX = 40;

/** `parts` are the arguments behind the command's name. Throws `SYNTAX`, which names what is wrong. */
export function parseCompute(parts: readonly string[]): ComputeRequest {
  const words = new Words(parts);
  const formula = formulaWords(words);
  const early = trailingUnit(formula);
  const bindings: Binding[] = [];
  for (
    let keyword = "WHERE";
    words.next !== undefined && (keyword === "WHERE" || isWord(words.next, "AND"));
  ) {
    words.take();
    bindings.push(binding(words, keyword));
    keyword = "AND";
  }
  const late = unitOf(words.next);
  if (late !== undefined) words.take();
  if (words.next !== undefined) throw unexpectedEnd(words.next, bindings, late);
  if (early !== undefined && late !== undefined) throw syntax("DEGREES or RADIANS is given twice");
  return { formula: formula.join(" "), bindings, unit: late ?? early ?? "radians" };
}

/** The words before WHERE. */
function formulaWords(words: Words): string[] {
  const formula: string[] = [];
  while (words.next !== undefined && !isWord(words.next, "WHERE")) formula.push(words.take());
  return formula;
}

const unitOf = (word: string | undefined): AngleUnit | undefined =>
  word?.length === UNIT_LENGTH ? UNITS.get(word.toUpperCase()) : undefined;

/** Takes the unit off the end of the formula, where it is not its last variable. */
function trailingUnit(formula: string[]): AngleUnit | undefined {
  const unit = unitOf(formula.at(-1));
  const before = formula.at(-2);
  if (unit === undefined || before === undefined || UNFINISHED.test(before)) return undefined;
  formula.pop();
  return unit;
}

/** `name = QUERY path`, with or without blanks around the `=`. */
function binding(words: Words, keyword: string): Binding {
  if (words.next === undefined) throw syntax(`name = QUERY path must follow ${keyword}`);
  const [name, behind] = cut(words.take());
  if (name === "") throw syntax(`expected a variable before =, after ${keyword}`);
  if (behind === undefined && !(words.next?.startsWith("=") ?? false)) {
    throw syntax(`expected = after ${shown(name)}, got ${shown(words.next)}`);
  }
  const attached = behind ?? words.take().slice(1);
  const query = attached === "" && words.next !== undefined ? words.take() : attached;
  if (!isWord(query, "QUERY")) {
    throw syntax(`expected QUERY path after ${shown(name)} =, got ${shown(query)}`);
  }
  const path = words.takeWhole();
  if (path === undefined) throw syntax(`expected a path after ${shown(name)} = QUERY`);
  return { name, path };
}

/** `x=QUERY` into `x` and `QUERY`. */
function cut(word: string): [name: string, rest: string | undefined] {
  const sign = word.indexOf("=");
  return sign < 0 ? [word, undefined] : [word.slice(0, sign), word.slice(sign + 1)];
}

function unexpectedEnd(
  word: string,
  bindings: readonly Binding[],
  unit: AngleUnit | undefined,
): MinikeyError {
  const last = bindings.at(-1);
  if (unit !== undefined || last === undefined) return syntax(`expected nothing more, got ${shown(word)}`);
  const where = `after ${shown(last.name)} = QUERY ${shown(last.path)}`;
  return syntax(`expected AND, DEGREES or RADIANS ${where}, got ${shown(word)}`);
}

const isWord = (word: string, keyword: string): boolean =>
  word === keyword || (word.length === keyword.length && word.toUpperCase() === keyword);

function shown(word: string | undefined): string {
  if (word === undefined || word === "") return "nothing";
  return shorten(word, SHOWN_MAX);
}

const syntax = (what: string): MinikeyError => new MinikeyError("SYNTAX", `syntax error: ${what}`);

/** Words from arguments, which may hold several each. */
class Words {
  readonly #parts: readonly string[];
  #part = 0;
  /** Where the next word begins in its argument. */
  #at = 0;
  #end = 0;
  /** The next word; undefined at the end. */
  next: string | undefined;

  constructor(parts: readonly string[]) {
    this.#parts = parts;
    this.#find();
  }

  /** There is a next word. */
  take(): string {
    const word = this.next ?? "";
    this.#at = this.#end;
    this.#find();
    return word;
  }

  /** The next argument with all that is in it, or, inside an argument, the next word. */
  takeWhole(): string | undefined {
    const part = this.#parts[this.#part];
    if (this.next === undefined || part.slice(0, this.#at).trim() !== "") {
      return this.next === undefined ? undefined : this.take();
    }
    this.#part += 1;
    this.#at = 0;
    this.#find();
    return part;
  }

  #find(): void {
    for (; this.#part < this.#parts.length; this.#part += 1, this.#at = 0) {
      const part = this.#parts[this.#part];
      let start = this.#at;
      while (start < part.length && isBlank(part.charCodeAt(start))) start += 1;
      if (start === part.length) continue;
      let end = start + 1;
      while (end < part.length && !isBlank(part.charCodeAt(end))) end += 1;
      this.next = part.slice(start, end);
      this.#at = start;
      this.#end = end;
      return;
    }
    this.next = undefined;
  }
}

/** As `\s` has it. */
function isBlank(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return code > 0x7e && /\s/.test(String.fromCharCode(code));
}
