/**
 * Finds the form of a `COMPUTE` whose like has been seen before, by the bytes of all arguments but its paths: no word
 * is parsed again, and no text made of them.
 *
 *     COMPUTE 2*(x+y) WHERE x = QUERY person2.age AND y = QUERY person3.age
 *     ─────────────── ───── ─ ─ ───── ··········· ─── ─ ─ ───── ···········
 *                           the form                the paths
 *
 * There is a fixed number of places, one for each hash of a formula: of two forms that have the same, the one seen
 * last is kept.
 */
import type { ComputeForm } from "./compute-form.js";
import { type Args, copyArgs } from "./types.js";

/** Which arguments are the formula and the paths. */
export interface ComputeLayout {
  readonly formula: number;
  readonly firstPath: number;
  readonly step: number;
}

/** A power of two. */
const PLACES = 256;
/** Longer commands are not kept. */
const KEPT_BYTES_MAX = 1024;

interface Kept {
  /** Of a command of this form. */
  readonly args: Args;
  readonly form: ComputeForm;
}

export class ComputeForms {
  readonly #layout: ComputeLayout;
  readonly #kept: (Kept | undefined)[] = Array.from({ length: PLACES });

  constructor(layout: ComputeLayout) {
    this.#layout = layout;
  }

  find(args: Args): ComputeForm | undefined {
    const kept = this.#kept[this.#placeOf(args)];
    return kept !== undefined && this.#isSame(kept.args, args) ? kept.form : undefined;
  }

  /** From now on commands that differ from `args` in their paths alone have this form. */
  keep(args: Args, form: ComputeForm): void {
    if (args.bytesUsed > KEPT_BYTES_MAX) return;
    this.#kept[this.#placeOf(args)] = { args: copyArgs(args), form };
  }

  /** FNV-1a of the formula. */
  #placeOf(args: Args): number {
    const { bytes } = args;
    const end = args.end(this.#layout.formula);
    let hash = 0x811c9dc5;
    for (let at = args.start(this.#layout.formula); at < end; at += 1) {
      hash = Math.imul(hash ^ bytes[at], 0x01000193);
    }
    return (hash ^ (hash >>> 16)) & (PLACES - 1);
  }

  #isSame(one: Args, other: Args): boolean {
    if (one.count !== other.count) return false;
    const { firstPath, step } = this.#layout;
    let path = firstPath;
    for (let i = 1; i < one.count; i += 1) {
      if (i === path) path += step;
      else if (!isSameArg(one, other, i)) return false;
    }
    return true;
  }
}

function isSameArg(one: Args, other: Args, i: number): boolean {
  const length = one.lengthBytes(i);
  if (other.lengthBytes(i) !== length) return false;
  const from = one.start(i);
  const to = other.start(i);
  for (let at = 0; at < length; at += 1) if (one.bytes[from + at] !== other.bytes[to + at]) return false;
  return true;
}
