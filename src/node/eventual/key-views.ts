/** What commands read from, when it is not one replica: the keys of several, or records from several. */
import type { Entry, KeyValueView } from "../../commands/types.js";
import { assert } from "../../core/assert.js";
import type { Key } from "../../core/bytes.js";

/** Reads keys and nothing else. */
export class KeysView implements KeyValueView {
  readonly nowMs: number;
  readonly valueBytesMax = 0;
  readonly #entryOf: (key: Key) => Entry | undefined;

  /** `entryOf` gives what there is at `nowMs`: nothing that has expired. */
  constructor(nowMs: number, entryOf: (key: Key) => Entry | undefined) {
    this.nowMs = nowMs;
    this.#entryOf = entryOf;
  }

  get(key: Key): Entry | undefined {
    return this.#entryOf(key);
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(): never {
    return readsKeysOnly();
  }

  setExpiry(): never {
    return readsKeysOnly();
  }

  delete(): never {
    return readsKeysOnly();
  }

  purge(): never {
    return readsKeysOnly();
  }

  clear(): never {
    return readsKeysOnly();
  }

  count(): never {
    return readsKeysOnly();
  }

  keys(): never {
    return readsKeysOnly();
  }
}

function readsKeysOnly(): never {
  assert(false, "a view of certain keys is read, and by these keys alone");
}
