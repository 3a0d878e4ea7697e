/**
 * Compiled formulas by their text: those used last, within two bounds. A formula that does not compile is not
 * kept, so that mistakes push nothing out.
 */
import { compileFormula, type Formula } from "./formula.js";

export class FormulaCache {
  readonly #countMax: number;
  readonly #bytesMax: number;
  /** Used longest ago first. */
  readonly #formulas = new Map<string, Formula>();
  #bytes = 0;

  constructor(countMax = 1024, bytesMax = 2 * 1024 * 1024) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#formulas.size;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** As `compileFormula`. */
  get(text: string): Formula {
    const known = this.#formulas.get(text);
    if (known !== undefined) {
      this.#formulas.delete(text);
      this.#formulas.set(text, known);
      return known;
    }
    const formula = compileFormula(text);
    this.#formulas.set(text, formula);
    this.#bytes += formula.sizeBytes;
    this.#trim();
    return formula;
  }

  #trim(): void {
    for (const [text, formula] of this.#formulas) {
      if (this.#formulas.size <= this.#countMax && this.#bytes <= this.#bytesMax) return;
      this.#formulas.delete(text);
      this.#bytes -= formula.sizeBytes;
    }
  }
}
